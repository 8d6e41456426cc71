/** Edit distance with insertions, deletions, substitutions and swaps of neighbours, all of cost 1. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const at = (di: number, dj: number): number => (di === 0 ? row[j - dj] : rows[i - di]?.[j - dj]) ?? 0
      let best = Math.min(at(1, 0) + 1, at(0, 1) + 1, at(1, 1) + (a[i - 1] === b[j - 1] ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(2, 2) + 1)
      row.push(best)
    }
    rows.push(row)
  }
  return rows[a.length]?.[b.length] ?? 0
}

const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')

/** The known name closest to a mistyped one, if it is close: a third of its length, at least one edit. */
export function nearest(name: string, known: Iterable<string>): string | null {
  if (name.length > 100) return null
  let best: { name: string; distance: number } | null = null
  for (const candidate of known) {
    const edits = distance(plain(name), plain(candidate))
    if (edits <= Math.max(1, Math.floor(candidate.length / 3)) && edits < (best?.distance ?? Number.POSITIVE_INFINITY))
      best = { name: candidate, distance: edits }
  }
  return best?.name ?? null
}

/** ` (did you mean X?)`, or nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const found = nearest(name, known)
  return found === null ? '' : ` (did you mean ${found}?)`
}
