/** For tests: copies of the shipped bundle, edited, and signed again where the edit is to pass for the work of a trainer. */
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleVersion, type Golden, type manifestSchema } from '@portent/core'
import type { z } from 'zod'

export const SHIPPED = fileURLToPath(new URL('../../bundle', import.meta.url))

/** A folder of its own, also where the same test runs twice at once; gone when the test ends. */
export function tempFolder({ teardown }: { teardown: (end: () => void) => void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'portent-test-'))
  teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

export type ManifestDraft = z.input<typeof manifestSchema>

/** A copy of the shipped bundle in a folder that is made for it. */
export function copyBundle(folder: string): string {
  cpSync(SHIPPED, folder, { recursive: true })
  return folder
}

export function readManifest(folder: string): ManifestDraft {
  return JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as ManifestDraft
}

export function readGolden(folder: string): Golden {
  return JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as Golden
}

/** Changes the manifest and nothing else: hashes and version stay what they were. */
export function editManifest(folder: string, edit: (manifest: ManifestDraft) => void): void {
  const manifest = readManifest(folder)
  edit(manifest)
  writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 1)}\n`)
}

/** Computes all hashes and the version anew. */
export function sign(folder: string): void {
  editManifest(folder, (manifest) => {
    const named = [
      manifest.features,
      ...manifest.detectors,
      manifest.golden,
      ...(manifest.failure ? [manifest.failure] : []),
    ]
    for (const part of named) {
      const path = join(folder, part.file)
      if (!existsSync(path)) continue
      part.sha256 = createHash('sha256').update(readFileSync(path)).digest('hex')
    }
    manifest.version = bundleVersion(manifest)
  })
}

/** A bundle for rows of another length, otherwise as shipped. */
export function bundleOfInterval(folder: string, seconds: number): string {
  copyBundle(folder)
  editManifest(folder, (manifest) => {
    manifest.interval_seconds = seconds
  })
  sign(folder)
  return folder
}
