/** Why a bundle was refused: a closed list, so that it can be a label. */
export const BUNDLE_REASONS = [
  'missing',
  'manifest',
  'hash',
  'operators',
  'shape',
  'golden',
  'interval',
  'model',
  'timeout',
] as const
export type BundleReason = (typeof BUNDLE_REASONS)[number]

export class BundleError extends Error {
  readonly reason: BundleReason

  constructor(reason: BundleReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BundleError'
    this.reason = reason
  }
}
