import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Manifest } from '@portent/core'
import type { Io } from './io.ts'

const HELP = `Usage: portent bundle verify DIR...

Loads a model bundle as the service does (every file against its hash, every model with the options that serve) and
computes its golden vectors anew. Prints "DIR: ok" and what the bundle holds, or says what is wrong and exits with 1.

  --help
        Print this
`

export async function bundle(argv: readonly string[], io: Io): Promise<number> {
  let words: string[]
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: { help: { type: 'boolean', short: 'h', default: false } },
      allowPositionals: true,
      strict: true,
    })
    if (values.help) {
      io.out(HELP)
      return 0
    }
    words = positionals
    if (words[0] !== 'verify') throw new Error(words[0] === undefined ? 'what?' : `unexpected ${words[0]}`)
    if (words.length === 1) throw new Error('which folder?')
  } catch (error) {
    io.err(`portent bundle: ${(error as Error).message}\n${HELP}`)
    return 2
  }
  let code = 0
  for (const folder of words.slice(1)) {
    try {
      io.out(`${folder}: ok\n${await verify(resolve(io.cwd, folder))}`)
    } catch (error) {
      io.err(`${folder}: ${(error as Error).message}\n`)
      code = 1
    }
  }
  return code
}

function dailyLine({ members, ready_days }: NonNullable<Manifest['daily']>): string {
  return `${members.map((x) => x.name).join(', ')}: join after ${ready_days} days of a target's own rows`
}

/** @returns what the bundle holds, a line each. @throws BundleError */
async function verify(folder: string): Promise<string> {
  const { readBundle } = await import('../bundle/files.ts')
  const { OnnxModel } = await import('../detect/model.ts')
  const files = await readBundle(folder)
  const model = await OnnxModel.load(files)
  try {
    const { manifest, golden, trainedAt } = files
    const total = manifest.detectors.reduce((sum, x) => sum + x.weight, 0)
    const detectors = manifest.detectors.map(({ name, weight }) => `${name} ${((100 * weight) / total).toFixed(0)} %`)
    const { failure } = manifest
    const bytes = [...files.models.values()].reduce((sum, x) => sum + x.length, 0)
    const cases = `${golden.cases.length} windows${failure ? `, ${golden.failure.length} histories` : ''}`
    const lines: [string, string][] = [
      ['name', `${manifest.name}, version ${manifest.version}`],
      ['sha256', files.sha256],
      ['trained', trainedAt === null ? 'not told' : new Date(trainedAt).toISOString()],
      ['rows', `${manifest.interval_seconds} s`],
      ['signals', `${manifest.signals.length}: ${manifest.signals.map((s) => s.name).join(', ')}`],
      ['centre', manifest.center.mode === 'frozen' ? 'frozen at the training mean' : "follows each target's own mean"],
      ['detectors', detectors.join(', ')],
      ...(manifest.daily ? [['daily', dailyLine(manifest.daily)] as [string, string]] : []),
      ['failure', failureLine(failure)],
      ['models', `${files.models.size} files, ${(bytes / 1e6).toFixed(2)} MB`],
      ['golden', `${cases} agree; worst deviation ${(100 * model.worst).toPrecision(2)} % of what is tolerated`],
    ]
    return lines.map(([what, value]) => `  ${what.padEnd(11)}${value}\n`).join('')
  } finally {
    await model.release()
  }
}

function failureLine(failure: { readonly horizons_seconds: readonly number[] } | undefined): string {
  if (failure === undefined) return 'no model'
  return `within ${failure.horizons_seconds.join(', ')} s`
}
