import type { SignalValues } from '../types.ts'

/** Bytes of an array of numbers, not copied. Blobs are little-endian, as every platform that Node ships binaries for but s390x. */
export const bytesOf = (a: Float64Array | Float32Array | Uint16Array) =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength)

/** Whether a name is that of one resource of several (`filesystem:/var`): no signal can have a colon. */
export const isMount = (name: string): boolean => name.includes(':')

/** The signals of a blob by name; what is absent (NaN) is no key. */
export function decode(blob: Buffer, names: readonly string[]): SignalValues {
  const values: Record<string, number> = {}
  names.forEach((name, i) => {
    if (isMount(name)) return
    const value = blob.readDoubleLE(8 * i)
    if (Number.isFinite(value)) values[name] = value
  })
  return values
}
