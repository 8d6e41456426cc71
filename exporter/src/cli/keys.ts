import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { newKey } from '../access/api-key.ts'
import { isRole, ROLES } from '../access/roles.ts'
import { type Config, formatConfigError, loadConfig, parseDuration } from '../config/index.ts'
import { didYouMean } from '../config/suggest.ts'
import { type KeysFile, openKeysFile } from '../store/keys-file.ts'
import type { StoredKey } from '../store/tables/api_keys.ts'
import type { Io } from './io.ts'

const HELP = `Usage: portent keys create --name=NAME --role=ROLE [--expires=90d] [FLAGS]
       portent keys list [FLAGS]
       portent keys revoke ID [FLAGS]

API keys in the database of a service. A service that runs knows of a new or revoked key within seconds. A key is sent as
"Authorization: Bearer KEY". The first key closes the routes that change something to everybody without one, for good.

  --name=NAME
        What the key is for, in lists and logs
  --role=ROLE
        viewer (read), operator (read, write) or admin (everything)
  --expires=DURATION
        When it ends, from now, as in 90d. Default: never
  --help
        Print this

FLAGS say where the database is, as for portent serve: --config.file=FILE or --store.path=FILE. Default: data/portent.db
under the current directory. Environment variables count too.
`

const DAY = 86_400_000
const LONGEST = 3650 * DAY

/** Called wrongly: exit code 2. */
class UsageError extends Error {}

interface Given {
  readonly action: string
  readonly id: string | undefined
  readonly own: ReadonlyMap<string, string>
  /** For the configuration. */
  readonly rest: readonly string[]
}

export async function keys(argv: readonly string[], io: Io, now: () => number = Date.now): Promise<number> {
  if (argv.some((word) => word === '--help' || word === '-h')) {
    io.out(HELP)
    return 0
  }
  try {
    const given = read(argv)
    const work = actionOf(given, io, now)
    const loaded = loadConfig({ argv: given.rest, env: io.env, readFile: io.readFile, cwd: io.cwd })
    if (!loaded.ok) {
      for (const error of loaded.errors) io.err(`portent: ${formatConfigError(error)}\n`)
      return 1
    }
    return inFile(loaded.config, now, work)
  } catch (error) {
    if (!(error instanceof UsageError)) {
      io.err(`portent keys: ${(error as Error).message}\n`)
      return 1
    }
    io.err(`portent keys: ${error.message}\n${HELP}`)
    return 2
  }
}

function read(argv: readonly string[]): Given {
  const words: string[] = []
  const own = new Map<string, string>()
  const rest: string[] = []
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? ''
    const [, name, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? []
    const value = inline ?? argv[index + 1]
    if (name === undefined) words.push(word)
    else if (['name', 'role', 'expires'].includes(name)) {
      if (value === undefined || (inline === undefined && value.startsWith('--')))
        throw new UsageError(`--${name} needs a value`)
      if (own.has(name)) throw new UsageError(`--${name} is given twice`)
      own.set(name, value)
      if (inline === undefined) index++
    } else {
      rest.push(word)
      // The value of a flag of the configuration, not an argument of ours.
      if (inline === undefined && value !== undefined && !value.startsWith('--')) rest.push(argv[++index] ?? '')
    }
  }
  const [action = '', id, ...more] = words
  if (more.length > 0) throw new UsageError(`unexpected ${more[0]}`)
  return { action, id, own, rest }
}

type Work = (file: KeysFile) => number

function actionOf(given: Given, io: Io, now: () => number): Work {
  const { action, id, own } = given
  const actions = ['create', 'list', 'revoke']
  if (action === '') throw new UsageError('create, list or revoke?')
  if (!actions.includes(action)) throw new UsageError(`unexpected ${action}${didYouMean(action, actions)}`)
  if (action !== 'create' && own.size > 0) throw new UsageError(`--${[...own.keys()][0]} is for create`)
  if (action !== 'revoke' && id !== undefined) throw new UsageError(`unexpected ${id}`)
  if (action === 'create') return create(own, io, now)
  if (action === 'list') return (file) => list(file.all(), io, now())
  if (id === undefined) throw new UsageError('which key? portent keys list shows their ids')
  return (file) => {
    if (file.revoke(id, now())) io.out(`${id}: revoked\n`)
    else {
      const known = file.all().some((key) => key.id === id)
      io.err(
        `portent keys: ${known ? `${id} is revoked already` : `there is no key ${JSON.stringify(id.slice(0, 100))}`}\n`,
      )
      return 1
    }
    return 0
  }
}

function create(own: ReadonlyMap<string, string>, io: Io, now: () => number): Work {
  const name = own.get('name')
  const role = own.get('role')
  const expires = own.get('expires')
  if (name === undefined || !/^[^\p{C}]{1,64}$/u.test(name))
    throw new UsageError('--name takes 1 to 64 printable characters')
  if (!isRole(role)) throw new UsageError(`--role is one of ${ROLES.join(', ')}`)
  const duration = expires === undefined ? null : parseDuration(expires)
  if (expires !== undefined && (duration === null || duration < 1000 || duration > LONGEST))
    throw new UsageError('--expires takes a duration from 1s to 3650d, as in 90d')
  return (file) => {
    const { id, text, hash } = newKey()
    const createdAt = now()
    const expiresAt = duration === null ? null : createdAt + duration
    file.add({ id, name, role, hash, createdAt, expiresAt })
    io.out(`${text}\n`)
    const until = expiresAt === null ? 'does not expire' : `expires ${time(expiresAt)}`
    io.err(`Key ${id} (${role}, ${until}). It is shown this once: only its hash is stored.\n`)
    return 0
  }
}

function list(all: readonly StoredKey[], io: Io, now: number): number {
  const state = ({ revokedAt, expiresAt }: StoredKey) =>
    revokedAt !== null ? 'revoked' : expiresAt !== null && expiresAt <= now ? 'expired' : 'valid'
  const rows = [
    ['ID', 'ROLE', 'STATE', 'CREATED', 'EXPIRES', 'LAST USED', 'NAME'],
    ...all.map((key) => [
      key.id,
      key.role,
      state(key),
      time(key.createdAt),
      time(key.expiresAt),
      time(key.lastUsedAt),
      key.name.replaceAll(/\p{C}/gu, '?'),
    ]),
  ]
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  for (const row of rows)
    io.out(
      `${row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
  return 0
}

/** To the minute, UTC. */
const time = (at: number | null): string => (at === null ? '-' : `${new Date(at).toISOString().slice(0, 16)}Z`)

function inFile({ store }: Config, now: () => number, work: Work): number {
  mkdirSync(dirname(store.path), { recursive: true })
  const file = openKeysFile(store.path, store.max_size, now())
  try {
    return work(file)
  } finally {
    file.close()
  }
}
