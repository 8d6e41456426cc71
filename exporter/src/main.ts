import { run } from './cli/index.ts'
import { processIo } from './cli/io.ts'

// A reader that went away (`portent ... | head`) is no reason to crash; the log counts its own lost lines.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

process.exitCode = await run(process.argv.slice(2), processIo())

// Output still waiting is written; a handle that somebody forgot does not keep the process.
setTimeout(() => process.exit(), 500).unref()
