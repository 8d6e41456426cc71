import { createHash } from 'node:crypto'

/**
 * The version of a bundle: first 12 hex digits of the sha256 of its manifest without the field `version`. The manifest
 * names the hash of every other file, so two bundles of one version are the same to the byte.
 *
 * @param manifest the parsed JSON of manifest.json, keys in their order
 */
export function bundleVersion(manifest: Readonly<Record<string, unknown>>): string {
  const { version: _, ...rest } = manifest
  return createHash('sha256').update(JSON.stringify(rest)).digest('hex').slice(0, 12)
}
