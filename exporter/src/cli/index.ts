import { type Io, versionLine } from './io.ts'

export interface Command {
  readonly name: string
  readonly summary: string
  /** Resolves with the exit code: 0 done, 1 failed, 2 called wrongly. */
  run(argv: readonly string[], io: Io): Promise<number>
}

/** One file a command, imported when it is called: `--help` loads none of them. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'serve',
    summary: 'Watch this host and serve metrics and the API',
    run: async (argv, io) => (await import('./serve.ts')).serve(argv, io),
  },
  {
    name: 'train',
    summary: 'Make a model bundle from CSV, history, Prometheus or simulated hosts',
    run: async (argv, io) => (await import('./train.ts')).train(argv, io),
  },
  {
    name: 'score',
    summary: 'Score a CSV recording as the service would have',
    run: async (argv, io) => (await import('./score.ts')).score(argv, io),
  },
  {
    name: 'forecast',
    summary: 'Predict over a CSV recording: levels ahead, time to exhaustion, failure probability',
    run: async (argv, io) => (await import('./forecast.ts')).forecast(argv, io),
  },
  {
    name: 'backtest',
    summary: 'Replay a past from Prometheus, the history or a CSV beside the usual rules',
    run: async (argv, io) => (await import('./backtest.ts')).backtest(argv, io),
  },
  {
    name: 'bundle',
    summary: 'Check a model bundle: portent bundle verify DIR',
    run: async (argv, io) => (await import('./bundle.ts')).bundle(argv, io),
  },
  {
    name: 'simulate',
    summary: 'Write CSV recordings of simulated hosts and their faults',
    run: async (argv, io) => (await import('./simulate.ts')).simulate(argv, io),
  },
  {
    name: 'keys',
    summary: 'Make, list and revoke API keys',
    run: async (argv, io) => (await import('./keys.ts')).keys(argv, io),
  },
  {
    name: 'check-config',
    summary: 'Check a configuration file, or print an example',
    run: async (argv, io) => (await import('./check-config.ts')).checkConfig(argv, io),
  },
]

const help = (): string => {
  const width = Math.max(...COMMANDS.map((command) => command.name.length)) + 2
  const lines = COMMANDS.map((command) => `  ${command.name.padEnd(width)}${command.summary}\n`)
  return `Usage: portent COMMAND [FLAGS]

Early warning for Prometheus: anomaly scores, explanations and failure forecasts of a host.

Commands:
${lines.join('')}
  portent COMMAND --help   flags of a command
  portent --version        version of portent, Node and the platform
`
}

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const called = name !== undefined
    const write = called ? io.out : io.err
    write(help())
    return called ? 0 : 2
  }
  if (name === '--version' || name === 'version') {
    io.out(`${versionLine()}\n`)
    return 0
  }
  const command = COMMANDS.find((candidate) => candidate.name === name)
  if (command) return command.run(rest, io)
  const { didYouMean } = await import('../config/suggest.ts')
  const names = COMMANDS.map((candidate) => candidate.name)
  const what = name.startsWith('-') ? 'unknown flag' : 'unknown command'
  io.err(`portent: ${what} ${name}${didYouMean(name, names)}: see portent --help\n`)
  return 2
}
