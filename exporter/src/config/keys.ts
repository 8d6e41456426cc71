import { z } from 'zod'
import { type About, about } from './leaves.ts'
import { configSchema } from './schema.ts'

/** One key of the configuration, as the schema has it. */
export interface Key extends Omit<About, 'flag'> {
  /** `web.listen_address` */
  readonly path: string
  /** `web.listen-address`, or null where only the file can set it. */
  readonly flag: string | null
  /** `PORTENT_WEB_LISTEN_ADDRESS`, or null where only the file can set it. */
  readonly env: string | null
}

export const ENV_PREFIX = 'PORTENT_'

const inner = (schema: unknown): unknown =>
  schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional || schema instanceof z.ZodExactOptional
    ? inner(schema.unwrap())
    : schema

const shape = (schema: unknown): Readonly<Record<string, unknown>> => {
  const object = inner(schema)
  return object instanceof z.ZodObject ? object.shape : {}
}

function* walk(schema: unknown, path: string): Generator<Key> {
  for (const [name, child] of Object.entries(shape(schema))) {
    const info = about.get(child as z.ZodType)
    if (!info) throw new Error(`the key ${path}${name} has no description`)
    const key = path + name
    const scalar = info.kind !== 'section' && info.kind !== 'list'
    yield {
      ...info,
      path: key,
      flag: scalar ? (info.flag ?? key.replaceAll('_', '-')) : null,
      env: scalar ? ENV_PREFIX + key.replaceAll('.', '_').toUpperCase() : null,
    }
    if (info.kind === 'section') yield* walk(child, `${key}.`)
  }
}

/** Every section and key in the order of the schema; a section comes before its keys. */
export const KEYS: readonly Key[] = [...walk(configSchema, '')]

/** The keys that stand for a value: sections left out. */
export const LEAVES: readonly Key[] = KEYS.filter((key) => key.kind !== 'section')

/** Keys that the schema knows at a place: those of a section, or of every form of a list's entry. */
export function knownKeysAt(path: readonly PropertyKey[]): string[] {
  let places: unknown[] = [configSchema]
  for (const step of path)
    places = places.map(inner).flatMap((place): unknown[] => {
      if (place instanceof z.ZodArray) return [place.element]
      return Object.hasOwn(shape(place), step) ? [shape(place)[String(step)]] : []
    })
  const objects = places
    .map(inner)
    .flatMap((place): readonly unknown[] => (place instanceof z.ZodDiscriminatedUnion ? place.options : [place]))
  return [...new Set(objects.flatMap((object) => Object.keys(shape(object))))]
}
