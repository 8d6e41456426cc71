/** `portent train`: a bundle from a CSV file, the service's own history, a Prometheus server or simulated hosts. */
import { trainCommand } from './train-command.ts'

process.exitCode = await trainCommand(process.argv.slice(2), {
  out: process.stdout,
  progress: process.stderr,
})
