export * from '../forest.ts'
export * from './forest.ts'
export * from './inspect.ts'
export * from './model.ts'
