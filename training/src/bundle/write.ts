/** Writes a bundle's folder: all of it or nothing. */
import { createHash } from 'node:crypto'
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { bundleVersion, type Golden, type Manifest, manifestSchema } from '@portent/core'
import { failureGraph, featureGraph } from '../graph/index.ts'
import type { StandardLogistic } from '../logistic.ts'
import type { ReferenceModel } from './reference.ts'

export interface BundleParts {
  readonly manifest: Manifest
  readonly model: ReferenceModel
  readonly failure: StandardLogistic | null
  readonly golden: Golden
}

/** File name -> bytes, with every hash and the version in the manifest. The same parts give the same bytes. */
export function bundleFiles({ manifest, model, failure, golden }: BundleParts): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>([[manifest.features.file, featureGraph(model.features)]])
  for (const fitted of model.detectors) files.set(`${fitted.name}.onnx`, fitted.toOnnx())
  if (failure && manifest.failure) files.set(manifest.failure.file, failureGraph(failure))
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
 * Into a folder beside the old one, synced, then renamed: a crash leaves the old bundle or the new one.
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
  for (const left of await readdir(parent)) {
    if (left.startsWith(`.${name}.tmp-`)) await rm(join(parent, left), { recursive: true })
  }
  const next = join(parent, `.${name}.tmp-${process.pid}`)
  const old = join(parent, `.${name}.tmp-old-${process.pid}`)
  await mkdir(next)
  for (const [file, bytes] of [...files, ['training.json', encode(volatile, 1)] as const]) {
    const handle = await open(join(next, file), 'w')
    await handle.writeFile(bytes)
    await handle.sync()
    await handle.close()
  }
  const replaced = await rename(folder, old).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
  await rename(next, folder)
  if (replaced) await rm(old, { recursive: true })
}

function encode(value: unknown, indent?: number): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, indent)}\n`)
}

function sha256(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) throw new Error('the manifest names a file that was not made')
  return createHash('sha256').update(bytes).digest('hex')
}
