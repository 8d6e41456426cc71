/** The text of an API key: `ptk_<id>_<random>`. The id names it in lists and logs, the random part (256 bits) proves it. */
import { createHash, randomInt } from 'node:crypto'

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const ID_LENGTH = 10
/** 62^43 > 2^256. */
const RANDOM_LENGTH = 43
const KEY = /^ptk_([0-9a-z]{10})_[0-9A-Za-z]{43}$/

export interface NewKey {
  readonly id: string
  /** Shown once, stored nowhere. */
  readonly text: string
  /** What is stored. */
  readonly hash: Buffer
}

export function newKey(): NewKey {
  const id = randomText(ID_LENGTH, 36).toLowerCase()
  const text = `ptk_${id}_${randomText(RANDOM_LENGTH, 62)}`
  return { id, text, hash: hashOf(text) }
}

/** SHA-256 of the whole key: a slow hash is for what people choose, not for 256 random bits. */
export const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest()

/** The id of what has the form of a key, else null. */
export const idOf = (text: string): string | null => KEY.exec(text)?.[1] ?? null

function randomText(length: number, base: number): string {
  let text = ''
  while (text.length < length) text += DIGITS.charAt(randomInt(base))
  return text
}
