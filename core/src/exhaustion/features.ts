/** What is known of an episode of growth, as the calibrated model wants it. */

const squash = (x: number) => 1 / (1 + Math.exp(-x))
const above = (x: number, knee: number) => Math.max(0, x - knee)

/**
 * @param f the plain features, [15]
 * @param soon ln of the hours left
 * @param asked the share of the rise to come that the limit asks for, over all and over half of the episode, and how far growth
 *   slowed, each a mean of late
 */
export function expanded(f: readonly number[], soon: number, asked: readonly [number, number, number]): Float64Array {
  const [left, half, quarter, , askedAll, askedHalf, noiseHalf, way, age, rough, step, , top, open] = f as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return Float64Array.of(
    1,
    ...f,
    squash(5 * (askedAll - 0.9)),
    squash(5 * (askedHalf - 0.9)),
    above(left, 0.5),
    above(half, -0.3),
    above(quarter, -0.3),
    above(way, 0.3),
    above(age, 0),
    above(rough, 0.15),
    above(noiseHalf, -1.5),
    above(top, 0.5),
    above(open, 0),
    ...asked,
    squash(5 * (asked[0] - 0.9)),
    squash(5 * (asked[1] - 0.9)),
    squash(5 * (asked[1] - 0.5)),
    asked[1] * way,
    asked[1] * noiseHalf,
    asked[2] * noiseHalf,
    asked[2] * left,
    soon,
    above(-soon, 0.3),
    above(-soon, 0.3) * way,
    left * half,
    left * askedAll,
    age * half,
    noiseHalf * half,
    way * askedAll,
    step * open,
    half * way,
    step * half,
    left * noiseHalf,
    top * noiseHalf,
  )
}
