/** Reads a host's past for another program of the command line: see fetch-command. */
import { fetchCommand } from './fetch-command.ts'

process.exitCode = await fetchCommand(process.argv.slice(2), { progress: process.stderr, now: Date.now() })
