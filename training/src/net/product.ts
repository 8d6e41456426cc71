/** The one product of matrices that a net needs, forwards and backwards: strides say how each factor is read. */

/** A matrix within an array: its number at (r, c) stands at r * row + c * column. */
export interface View {
  readonly values: Float64Array
  readonly row: number
  readonly column: number
}

/** values [rows,columns] as they stand. */
export function matrix(values: Float64Array, columns: number): View {
  return { values, row: columns, column: 1 }
}

export function transposed({ values, row, column }: View): View {
  return { values, row: column, column: row }
}

/**
 * out [rows,columns] = a [rows,depth] b [depth,columns].
 * Same numbers for the same arguments: the order of the sums is fixed.
 */
export function product(a: View, b: View, out: Float64Array, rows: number, columns: number, depth: number): void {
  const [x, y] = [a.values, b.values]
  const [xRow, xStep] = [a.row, a.column]
  const [yStep, yColumn] = [b.row, b.column]
  const evenRows = rows - (rows % 2)
  const wholeColumns = columns - (columns % 4)
  // Two rows by four columns at a time: their sums stay in registers, and every number that is loaded serves several.
  for (let r = 0; r < evenRows; r += 2) {
    for (let c = 0; c < wholeColumns; c += 4) {
      let [a0, a1, a2, a3] = [0, 0, 0, 0]
      let [b0, b1, b2, b3] = [0, 0, 0, 0]
      let i0 = r * xRow
      let i1 = i0 + xRow
      let j0 = c * yColumn
      let j1 = j0 + yColumn
      let j2 = j1 + yColumn
      let j3 = j2 + yColumn
      for (let k = 0; k < depth; k++) {
        const x0 = x[i0] as number
        const x1 = x[i1] as number
        const y0 = y[j0] as number
        const y1 = y[j1] as number
        const y2 = y[j2] as number
        const y3 = y[j3] as number
        a0 += x0 * y0
        a1 += x0 * y1
        a2 += x0 * y2
        a3 += x0 * y3
        b0 += x1 * y0
        b1 += x1 * y1
        b2 += x1 * y2
        b3 += x1 * y3
        i0 += xStep
        i1 += xStep
        j0 += yStep
        j1 += yStep
        j2 += yStep
        j3 += yStep
      }
      const to = r * columns + c
      out[to] = a0
      out[to + 1] = a1
      out[to + 2] = a2
      out[to + 3] = a3
      out[to + columns] = b0
      out[to + columns + 1] = b1
      out[to + columns + 2] = b2
      out[to + columns + 3] = b3
    }
  }
  for (let r = 0; r < rows; r++) {
    for (let c = r < evenRows ? wholeColumns : 0; c < columns; c++) {
      let sum = 0
      for (let k = 0; k < depth; k++) {
        sum += (x[r * xRow + k * xStep] as number) * (y[k * yStep + c * yColumn] as number)
      }
      out[r * columns + c] = sum
    }
  }
}
