export { writeWhole } from './files.ts'
export { attributionLine, SCORE_COLUMNS, scoreLine } from './output.ts'
export { BLOCK_ROWS, type ReplayedRow, type ReplayModel, type ReplayOptions, replay } from './replay.ts'
export { rowsOf } from './table.ts'
