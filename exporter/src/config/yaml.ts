import { isAlias, isMap, isNode, isSeq, LineCounter, type Node, parseDocument } from 'yaml'

/** Aliases may not multiply a small file into a huge one. */
const MAX_ALIASES = 100

export interface YamlError {
  readonly line: number | null
  readonly message: string
}

/** Finds the line of a key, or of the nearest place above it that the file holds; null if it holds none. */
export type Locate = (path: readonly PropertyKey[]) => number | null

export type YamlResult =
  | { readonly ok: true; readonly value: unknown; readonly lineOf: Locate }
  | { readonly ok: false; readonly errors: readonly YamlError[] }

const words: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this key is there twice',
  TAB_AS_INDENT: 'tabs cannot indent YAML: use spaces',
  NON_STRING_KEY: 'expected a text as key',
  MULTIPLE_DOCS: 'expected one YAML document, found several',
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? 'cannot be read'

const thrown = (error: unknown): string => {
  if (error instanceof RangeError) return 'nested too deeply'
  if (error instanceof ReferenceError) return `aliases that refer to aliases more than ${MAX_ALIASES} times`
  return firstLine(error)
}

/** One YAML 1.2 document -> plain data and the lines it stands on. Never throws. */
export function readYaml(text: string): YamlResult {
  const lines = new LineCounter()
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
    // One cause is often reported several times on a line: the first says it best.
    const errors = new Map<number, YamlError>()
    for (const problem of [...document.errors, ...document.warnings]) {
      const { line } = lines.linePos(problem.pos[0])
      if (!errors.has(line)) errors.set(line, { line, message: words[problem.code] ?? firstLine(problem) })
    }
    if (errors.size > 0) return { ok: false, errors: [...errors.values()] }
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES })
    return { ok: true, value, lineOf: (path) => locate(document.contents, path, document, lines) }
  } catch (error) {
    return { ok: false, errors: [{ line: null, message: thrown(error) }] }
  }
}

function locate(
  root: unknown,
  path: readonly PropertyKey[],
  document: Parameters<typeof isNode>[0] & object,
  lines: LineCounter,
): number | null {
  const lineAt = (node: unknown): number | null =>
    isNode(node) && node.range ? lines.linePos(node.range[0]).line : null
  let place: unknown = root
  let line: number | null = null
  for (const step of path) {
    if (isAlias(place)) place = place.resolve(document as never) as Node | undefined
    if (isMap(place)) {
      const pair = place.items.find((item) => String(isNode(item.key) ? item.key : '') === String(step))
      if (!pair) break
      line = lineAt(pair.key) ?? line
      place = pair.value
    } else if (isSeq(place) && typeof step === 'number') {
      place = place.items[step]
      line = lineAt(place) ?? line
    } else break
  }
  return line
}
