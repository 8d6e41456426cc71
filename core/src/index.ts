export * from './manifest.ts'
export * from './signals.ts'
