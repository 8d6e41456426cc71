export * from './failure.ts'
export * from './features.ts'
export * from './masked.ts'
