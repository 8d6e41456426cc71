/** The benchmark's score over all series: of the two columns that rank rows, with and without the refractory rule. */
import { nabStandardScore, refractory } from '../../training/dist/measures/index.js'

const COLUMNS = ['score', 'score_raw']
/** Shares of a series in which a row must be the highest; 0 = the rule is off. */
const SHARES = [0, 0.05, 0.1]
const HEADLINE = { column: 'score', share: 0.1 }

/** @param {readonly { name: string, rows: number, windows: object[], scores?: Record<string, Float64Array>, notes: string[], refused?: string }[]} series */
export function nabScores(series) {
  const variants = COLUMNS.flatMap((column) =>
    SHARES.map((share) => {
      const given = series.map(({ rows, windows, scores }) => {
        const of = scores?.[column] ?? new Float64Array(rows).fill(Number.NEGATIVE_INFINITY)
        return { scores: share > 0 ? refractory(of, share) : of, windows }
      })
      return { column, share, ...nabStandardScore(given) }
    }),
  )
  const headline = variants.find((x) => x.column === HEADLINE.column && x.share === HEADLINE.share)
  return {
    variants,
    headline: headline.score,
    folders: { ...HEADLINE, rows: byFolder(series, headline) },
    series: series.map(({ scores, ...rest }, k) => ({ ...rest, ...headline.series[k] })),
  }
}

function byFolder(series, { series: parts, windows }) {
  const names = [...new Set(series.map((x) => x.name.split('/')[0]))]
  return names.map((folder) => {
    const own = parts.filter((_, k) => series[k].name.split('/')[0] === folder)
    const sum = (of) => own.reduce((total, part) => total + of(part), 0)
    const scale = 100 / (2 * windows)
    return {
      folder,
      series: own.length,
      windows: sum((x) => x.windows),
      found: sum((x) => x.found),
      falsePositives: sum((x) => x.falsePositives),
      points: scale * sum((x) => x.worth + x.windows),
      most: scale * 2 * sum((x) => x.windows),
    }
  })
}
