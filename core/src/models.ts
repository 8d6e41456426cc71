/** What running the models takes, and no more: a scoring thread loads neither the manifest's schemas nor the ONNX writer. */
export * from './forest.ts'
export * from './score/tensors.ts'
export * from './score/window.ts'
export * from './treeshap.ts'
