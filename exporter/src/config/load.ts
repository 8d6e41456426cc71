import { dirname, isAbsolute, resolve } from 'node:path'
import type { z } from 'zod'
import { readEnvironment, readFlags, type Setting } from './flags.ts'
import { KEYS, knownKeysAt, LEAVES } from './keys.ts'
import { type Config, configSchema } from './schema.ts'
import { didYouMean } from './suggest.ts'
import { type Locate, readYaml } from './yaml.ts'

export interface ConfigError {
  /** The file, the flag or the variable at fault; null where a default is. */
  readonly source: string | null
  readonly line: number | null
  /** Path of the key, '' for the whole file. */
  readonly key: string
  /** What was expected and what was found. */
  readonly message: string
}

/** Key path -> `default`, `FILE:LINE`, the variable, or the flag that it comes from. */
export type Sources = Readonly<Record<string, string>>

export type LoadResult =
  | { readonly ok: true; readonly config: Config; readonly sources: Sources; readonly file: string | null }
  | { readonly ok: false; readonly errors: readonly ConfigError[] }

export interface LoadOptions {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** Gives a file's text; throws if it cannot be read. */
  readonly readFile: (path: string) => string
  /** Relative paths of flags, variables and defaults start here. */
  readonly cwd?: string
}

/** `FILE:LINE: KEY: MESSAGE`, without the parts that are not known. */
export function formatConfigError({ source, line, key, message }: ConfigError): string {
  const place = source === null || line === null ? source : `${source}:${line}`
  return [place, key, message].filter((part) => part !== null && part !== '').join(': ')
}

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What stands in the place of an expected value; never more than a short piece of it, and no credentials. */
function found(value: unknown): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value !== 'string') return String(value)
  const text = value.replace(/\/\/[^/@]*@/, '//<secret>@')
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}

const valueAt = (data: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (place, step) =>
      typeof place === 'object' && place !== null && Object.hasOwn(place, step)
        ? (place as Record<PropertyKey, unknown>)[step]
        : undefined,
    data,
  )

/** A section whose keys are all commented out reads as null: it means its defaults. */
function fillEmptySections(data: Record<string, unknown>): void {
  for (const { kind, path } of KEYS) {
    if (kind !== 'section') continue
    const steps = path.split('.')
    const parent = valueAt(data, steps.slice(0, -1))
    const name = steps.at(-1) ?? ''
    if (isMapping(parent) && Object.hasOwn(parent, name) && parent[name] === null) parent[name] = {}
  }
}

/** Does nothing where the file has something else than a mapping on the way: the schema tells of that. */
function set(data: Record<string, unknown>, path: string, value: unknown): void {
  const steps = path.split('.')
  let place = data
  for (const step of steps.slice(0, -1)) {
    if (!Object.hasOwn(place, step)) place[step] = {}
    const next = place[step]
    if (!isMapping(next)) return
    place = next
  }
  place[steps.at(-1) ?? ''] = value
}

/** Defaults < file < environment < flags. Decodes into a fresh object, or tells every error at once. */
export function loadConfig({ argv, env, readFile, cwd = process.cwd() }: LoadOptions): LoadResult {
  const environment = readEnvironment(env)
  const flags = readFlags(argv)
  const errors: ConfigError[] = [...environment.problems, ...flags.problems].map(({ from, message }) => ({
    source: from,
    line: null,
    key: '',
    message,
  }))
  const file = flags.file ?? environment.file
  const { data, lineOf } = readData(file, readFile, errors)
  const overlay = new Map<string, Setting>()
  for (const setting of [...environment.settings, ...flags.settings]) {
    set(data, setting.key, setting.value)
    overlay.set(setting.key, setting)
  }

  const origin = (path: readonly PropertyKey[]): { source: string | null; line: number | null } => {
    const setting = overlay.get(path.join('.'))
    if (setting) return { source: setting.from, line: null }
    const line = lineOf(path)
    return { source: line === null && path.length > 0 ? null : file, line }
  }
  const decoded = configSchema.safeParse(data)
  if (!decoded.success) errors.push(...decoded.error.issues.flatMap((issue) => explain(issue, data, origin)))
  if (!decoded.success || errors.length > 0) {
    const place = (error: ConfigError): number => (error.source === file ? (error.line ?? 0) : Number.MAX_SAFE_INTEGER)
    return { ok: false, errors: errors.toSorted((a, b) => place(a) - place(b)) }
  }

  const sources: Record<string, string> = {}
  for (const { path } of LEAVES) {
    const { source, line } =
      valueAt(data, path.split('.')) === undefined ? { source: null, line: null } : origin(path.split('.'))
    sources[path] = source === null ? 'default' : line === null ? source : `${source}:${line}`
  }
  return { ok: true, config: withAbsolutePaths(decoded.data, sources, file, cwd), sources, file }
}

function readData(
  file: string | null,
  readFile: (path: string) => string,
  errors: ConfigError[],
): { data: Record<string, unknown>; lineOf: Locate } {
  const nothing = { data: {}, lineOf: () => null }
  if (file === null) return nothing
  let text: string
  try {
    text = readFile(file)
  } catch (error) {
    errors.push({ source: file, line: null, key: '', message: `cannot be read: ${(error as Error).message}` })
    return nothing
  }
  const yaml = readYaml(text)
  if (!yaml.ok) {
    errors.push(...yaml.errors.map(({ line, message }) => ({ source: file, line, key: '', message })))
    return nothing
  }
  if (yaml.value === null || yaml.value === undefined) return nothing
  if (!isMapping(yaml.value)) {
    const message = `expected a mapping of keys, found ${found(yaml.value)}`
    errors.push({ source: file, line: 1, key: '', message })
    return nothing
  }
  fillEmptySections(yaml.value)
  return { data: yaml.value, lineOf: yaml.lineOf }
}

function explain(
  issue: z.core.$ZodIssue,
  data: unknown,
  origin: (path: readonly PropertyKey[]) => { source: string | null; line: number | null },
): ConfigError[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((name) => {
      const path = [...issue.path, name]
      const message = `unknown key${didYouMean(name, knownKeysAt(issue.path))}`
      return { ...origin(path), key: path.join('.'), message }
    })
  const key = issue.path.join('.')
  let place = origin(issue.path)
  // A contradiction with a default is the fault of the key that was set.
  if (issue.code === 'custom' && place.source === null && typeof issue.params?.related === 'string')
    place = origin(issue.params.related.split('.'))
  const value = valueAt(data, issue.path)
  const shown = LEAVES.find((leaf) => leaf.path === key)?.default
  const what = value === undefined && shown ? `the default ${shown}` : found(value)
  return [{ ...place, key, message: `expected ${issue.message}, found ${what}` }]
}

/** A relative path in the file starts at the file's folder, any other at the current directory. */
function withAbsolutePaths(config: Config, sources: Sources, file: string | null, cwd: string): Config {
  for (const { kind, path } of LEAVES) {
    const value = valueAt(config, path.split('.'))
    if (kind !== 'path' || typeof value !== 'string' || isAbsolute(value)) continue
    const inFile = file !== null && (sources[path] === file || sources[path]?.startsWith(`${file}:`))
    set(config, path, resolve(inFile ? resolve(cwd, dirname(file)) : cwd, value))
  }
  return config
}
