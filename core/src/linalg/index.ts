export * from './leading.ts'
export * from './symmetric.ts'
