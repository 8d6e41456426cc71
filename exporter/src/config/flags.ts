import { ENV_PREFIX, KEYS, type Key, LEAVES } from './keys.ts'
import { didYouMean } from './suggest.ts'

/** A value from outside the file: which key, what it says, and the name of the flag or variable that says it. */
export interface Setting {
  readonly key: string
  readonly value: unknown
  readonly from: string
}

export interface Problem {
  /** The flag or the variable. */
  readonly from: string
  readonly message: string
}

export interface Settings {
  readonly file: string | null
  readonly settings: readonly Setting[]
  readonly problems: readonly Problem[]
}

/** Text of a flag or variable -> what YAML would have made of it; what does not fit is left for the schema to refuse. */
function fromText(key: Key, text: string): unknown {
  const value = text.trim()
  if (key.kind === 'boolean' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true'
  if (key.kind === 'integer' && /^[+-]?\d+$/.test(value)) return Number(value)
  return text
}

const byFlag = new Map(LEAVES.flatMap((key) => (key.flag === null ? [] : [[key.flag, key] as const])))
const byEnv = new Map(LEAVES.flatMap((key) => (key.env === null ? [] : [[key.env, key] as const])))

const CONFIG_FILE_FLAG = 'config.file'
const CONFIG_FILE_ENV = `${ENV_PREFIX}CONFIG_FILE`

const onlyInFile = (name: string): string | null => {
  const key = KEYS.find((candidate) => candidate.flag === null && candidate.path.replaceAll(/[._]/g, '-') === name)
  return key ? `${key.path} is a ${key.kind === 'list' ? 'list' : 'section'}: set it in the configuration file` : null
}

/** `--flag=value`, `--flag value`, `--switch`, `--no-switch`. Everything is read; every problem is told. */
export function readFlags(argv: readonly string[]): Settings {
  const settings: Setting[] = []
  const problems: Problem[] = []
  const seen = new Set<string>()
  let file: string | null = null
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? ''
    const match = /^--([^=]+)(?:=(.*))?$/s.exec(word)
    if (!match?.[1]) {
      problems.push({ from: word === '' ? "''" : word, message: 'unexpected argument' })
      continue
    }
    const given = match[1]
    const negated = byFlag.get(given.replace(/^no-/, ''))
    const off = given.startsWith('no-') && !byFlag.has(given) && negated?.kind === 'boolean'
    const name = off ? given.slice(3) : given
    const key = byFlag.get(name)
    const from = `--${given}`
    if (!key && name !== CONFIG_FILE_FLAG) {
      const known = [CONFIG_FILE_FLAG, 'help', 'version', ...byFlag.keys()]
      const inFile = onlyInFile(name.replaceAll(/[._]/g, '-'))
      problems.push({ from, message: inFile ?? `unknown flag${didYouMean(name, known).replace('mean ', 'mean --')}` })
      // The value of an unknown flag is no further error.
      if (match[2] === undefined && argv[index + 1]?.startsWith('--') === false) index++
      continue
    }
    if (seen.has(name)) problems.push({ from, message: 'given twice' })
    seen.add(name)
    if (off) {
      if (match[2] === undefined) settings.push({ key: key?.path ?? '', value: false, from })
      else problems.push({ from, message: 'takes no value' })
      continue
    }
    let text = match[2]
    if (text === undefined && key?.kind === 'boolean') text = 'true'
    if (text === undefined && index + 1 < argv.length && !argv[index + 1]?.startsWith('--')) text = argv[++index]
    if (text === undefined) problems.push({ from, message: 'needs a value' })
    else if (key) settings.push({ key: key.path, value: fromText(key, text), from })
    else file = text
  }
  return { file, settings, problems }
}

/** What Kubernetes sets for a Service that is called portent, or portent-something. */
const isServiceLink = (name: string): boolean =>
  /_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$/.test(name) || /_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/.test(name)

/** Variables that begin with PORTENT_. An empty one counts as not set. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Settings {
  const settings: Setting[] = []
  const problems: Problem[] = []
  let file: string | null = null
  for (const [from, text] of Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!from.startsWith(ENV_PREFIX) || text === undefined || text === '') continue
    const key = byEnv.get(from)
    if (key) settings.push({ key: key.path, value: fromText(key, text), from })
    else if (from === CONFIG_FILE_ENV) file = text
    else if (!isServiceLink(from)) {
      const inFile = onlyInFile(from.slice(ENV_PREFIX.length).toLowerCase().replaceAll('_', '-'))
      problems.push({
        from,
        message: inFile ?? `unknown environment variable${didYouMean(from, [CONFIG_FILE_ENV, ...byEnv.keys()])}`,
      })
    }
  }
  return { file, settings, problems }
}
