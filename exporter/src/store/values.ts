import type { SignalValues } from '../types.ts'

/** Bytes of an array of numbers, not copied. Blobs are little-endian, as every platform that Node ships binaries for but s390x. */
export const bytesOf = (a: Float64Array | Float32Array | Uint16Array) =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength)

/** A blob's values by name; what is absent (NaN) is no key. */
export function decode(blob: Buffer, names: readonly string[]): SignalValues {
  const values: Record<string, number> = {}
  names.forEach((name, i) => {
    const value = blob.readDoubleLE(8 * i)
    if (Number.isFinite(value)) values[name] = value
  })
  return values
}
