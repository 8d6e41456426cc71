/** Writes a bundle's folder: all of it or nothing. */
import { createHash } from 'node:crypto'
import { access, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { bundleVersion, failureTermsOf, type Golden, type Manifest, manifestSchema } from '@portent/core'
import { failureGraph, featureGraph } from '../graph/index.ts'
import type { ReferenceModel } from './reference.ts'

export interface BundleParts {
  readonly manifest: Manifest
  readonly model: ReferenceModel
  readonly golden: Golden
}

/** File name -> bytes, with every hash and the version in the manifest. The same parts give the same bytes. */
export function bundleFiles({ manifest, model, golden }: BundleParts): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>([[manifest.features.file, featureGraph(model.features)]])
  for (const fitted of model.detectors) files.set(`${fitted.name}.onnx`, fitted.toOnnx())
  if (manifest.failure) files.set(manifest.failure.file, failureGraph(failureTermsOf(manifest.failure)))
  files.set(manifest.golden.file, encode(golden))
  const hashed = <T extends { file: string }>(part: T) => ({ ...part, sha256: sha256(files.get(part.file)) })
  const complete: Record<string, unknown> = {
    ...manifest,
    features: hashed(manifest.features),
    detectors: manifest.detectors.map(hashed),
    ...(manifest.failure ? { failure: hashed(manifest.failure) } : {}),
    golden: hashed(manifest.golden),
  }
  const plain = JSON.parse(JSON.stringify(complete)) as Record<string, unknown>
  plain.version = bundleVersion(plain)
  manifestSchema.parse(plain)
  files.set('manifest.json', encode(plain, 1))
  return files
}

/**
 * Into a folder beside the old one, synced, then renamed: a failure leaves the old bundle or the new one. A crash between
 * the two renames leaves the old one beside its place; the next call puts it back before anything else.
 * @param volatile facts that differ from run to run (times, durations), kept out of what is hashed
 */
export async function writeBundle(
  folder: string,
  files: ReadonlyMap<string, Uint8Array>,
  volatile: Readonly<Record<string, unknown>>,
): Promise<void> {
  const parent = dirname(folder)
  const name = basename(folder)
  await mkdir(parent, { recursive: true })
  await sweep(folder)
  const next = join(parent, `.${name}.tmp-${process.pid}`)
  const old = join(parent, `.${name}.tmp-old-${process.pid}`)
  let replaced = false
  try {
    await mkdir(next)
    for (const [file, bytes] of [...files, ['training.json', encode(volatile, 1)] as const]) {
      const handle = await open(join(next, file), 'w')
      try {
        await handle.writeFile(bytes)
        await handle.sync()
      } finally {
        await handle.close()
      }
    }
    replaced = await moved(folder, old)
    await rename(next, folder)
  } catch (error) {
    if (replaced) await rename(old, folder)
    await rm(next, { recursive: true, force: true })
    throw new Error(`bundle ${folder} was not written: ${(error as Error).message}`, { cause: error })
  }
  if (replaced) await rm(old, { recursive: true })
  await syncFolder(parent)
}

/** Removes what an interrupted call left, but for an old bundle whose place is empty: that goes back there. */
async function sweep(folder: string): Promise<void> {
  const parent = dirname(folder)
  const prefix = `.${basename(folder)}.tmp-`
  const left = (await readdir(parent)).filter((entry) => entry.startsWith(prefix))
  for (const entry of left.filter((x) => x.startsWith(`${prefix}old-`))) {
    const empty = await access(folder).then(
      () => false,
      () => true,
    )
    if (empty) await rename(join(parent, entry), folder)
  }
  for (const entry of left) await rm(join(parent, entry), { recursive: true, force: true })
}

/** False where there is nothing to move. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

/** So that the rename outlives a loss of power; not every file system can. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => null)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}

function encode(value: unknown, indent?: number): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, indent)}\n`)
}

function sha256(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) throw new Error('the manifest names a file that was not made')
  return createHash('sha256').update(bytes).digest('hex')
}
