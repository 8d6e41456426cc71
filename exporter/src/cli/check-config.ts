import { exampleConfig, formatConfigError, loadConfig } from '../config/index.ts'
import type { Io } from './io.ts'

const HELP = `Usage: portent check-config FILE...
       portent check-config --example

Checks configuration files as the service would read them, environment and flags left out.
Prints "FILE: ok", or every error with file, line and key; exits with 1 if there is one.

  --example
        Print a configuration file with every key, its default and what it means
`

export async function checkConfig(argv: readonly string[], io: Io): Promise<number> {
  if (argv.some((word) => word === '--help' || word === '-h')) {
    io.out(HELP)
    return 0
  }
  if (argv.length === 1 && argv[0] === '--example') {
    io.out(exampleConfig())
    return 0
  }
  const flag = argv.find((word) => word.startsWith('-'))
  if (flag !== undefined || argv.length === 0) {
    const problem = flag === undefined ? 'which file?' : `unexpected ${flag}`
    io.err(`portent check-config: ${problem}\n${HELP}`)
    return 2
  }
  const results = argv.map((file) => ({
    file,
    result: loadConfig({ argv: [`--config.file=${file}`], env: {}, readFile: io.readFile, cwd: io.cwd }),
  }))
  for (const { file, result } of results) {
    if (result.ok) io.out(`${file}: ok\n`)
    else for (const error of result.errors) io.err(`${formatConfigError(error)}\n`)
  }
  return results.every(({ result }) => result.ok) ? 0 : 1
}
