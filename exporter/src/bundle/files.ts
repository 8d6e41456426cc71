/** Reads a bundle's folder: manifest, files and golden vectors, each held against its hash. Runs no model. */
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { bundleVersion, type Golden, goldenSchema, type Manifest, manifestSchema } from '@portent/core'
import { decodeForest, type Forest, MAX_MODEL_BYTES, vetModel } from '@portent/core/onnx'
import type { z } from 'zod'
import { BundleError } from './reasons.ts'

export { BUNDLE_REASONS, BundleError, type BundleReason } from './reasons.ts'

export interface BundleFiles {
  readonly folder: string
  readonly manifest: Manifest
  readonly golden: Golden
  /** ONNX files by name, as they were hashed. */
  readonly models: ReadonlyMap<string, Uint8Array>
  /** The trees of the forest that explains, null where the bundle has none. */
  readonly forest: Forest | null
  /** sha256 of manifest.json: names the bundle to the byte. */
  readonly sha256: string
  /** Unix ms, from training.json where there is one. */
  readonly trainedAt: number | null
}

/** @throws BundleError in words that name the file and what is wrong with it */
export async function readBundle(folder: string): Promise<BundleFiles> {
  const manifestBytes = await read(folder, 'manifest.json')
  const json = parseJson(manifestBytes, 'manifest.json')
  const manifest = check(manifestSchema, json, 'manifest.json')
  const version = bundleVersion(json as Record<string, unknown>)
  if (version !== manifest.version) {
    throw new BundleError(
      'hash',
      `manifest.json was changed: its version is ${manifest.version}, its content ${version}`,
    )
  }
  checkConsistency(manifest)

  const models = new Map<string, Uint8Array>()
  const named = [manifest.features, ...manifest.detectors, ...(manifest.failure ? [manifest.failure] : [])]
  for (const { file, sha256 } of named) {
    const bytes = await readHashed(folder, file, sha256)
    const refused = vetModel(bytes)
    if (refused !== null) throw new BundleError('operators', `${file}: ${refused}`)
    models.set(file, bytes)
  }
  const goldenBytes = await readHashed(folder, manifest.golden.file, manifest.golden.sha256)
  const golden = check(goldenSchema, parseJson(goldenBytes, manifest.golden.file), manifest.golden.file)
  return {
    folder,
    manifest,
    golden,
    models,
    forest: forestOf(manifest, models),
    sha256: hashOf(manifestBytes),
    trainedAt: await readTrainedAt(folder),
  }
}

function forestOf({ detectors, explain }: Manifest, models: ReadonlyMap<string, Uint8Array>): Forest | null {
  const detector = detectors.find((x) => x.name === explain.forest)
  if (detector === undefined) return null
  try {
    return decodeForest(models.get(detector.file) as Uint8Array)
  } catch (error) {
    throw new BundleError('model', `${detector.file} holds no forest: ${(error as Error).message}`, { cause: error })
  }
}

/** The facts that differ from run to run are not part of the bundle's identity, and may be missing. */
async function readTrainedAt(folder: string): Promise<number | null> {
  try {
    const { trained_at } = JSON.parse(await readFile(join(folder, 'training.json'), 'utf8')) as { trained_at?: unknown }
    const at = typeof trained_at === 'string' ? Date.parse(trained_at) : Number.NaN
    return Number.isFinite(at) ? at : null
  } catch {
    return null
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function read(folder: string, file: string): Promise<Uint8Array> {
  try {
    // Reading a pipe or a device might never end.
    const found = await stat(join(folder, file))
    if (!found.isFile()) throw new BundleError('missing', `${join(folder, file)} is not a file`)
    if (found.size > MAX_MODEL_BYTES) {
      throw new BundleError('missing', `${join(folder, file)} is larger than ${MAX_MODEL_BYTES} bytes`)
    }
    return await readFile(join(folder, file))
  } catch (error) {
    if (error instanceof BundleError) throw error
    const { code } = error as NodeJS.ErrnoException
    const what = code === 'ENOENT' ? 'is not there' : `cannot be read (${code})`
    throw new BundleError('missing', `${join(folder, file)} ${what}`, { cause: error })
  }
}

async function readHashed(folder: string, file: string, sha256: string): Promise<Uint8Array> {
  const bytes = await read(folder, file)
  const found = hashOf(bytes)
  if (found !== sha256) {
    throw new BundleError('hash', `${file} was changed: its sha256 is ${found}, the manifest says ${sha256}`)
  }
  return bytes
}

function parseJson(bytes: Uint8Array, file: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new BundleError('manifest', `${file} is not JSON: ${(error as Error).message}`, { cause: error })
  }
}

function check<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new BundleError('manifest', `${file}: ${issue?.path.join('.') || 'document'}: ${issue?.message}`)
}

function checkConsistency({ signals, features, center, detectors, drift, explain }: Manifest): void {
  const fail = (message: string): never => {
    throw new BundleError('manifest', `manifest.json: ${message}`)
  }
  const expect = (key: string, found: number, wanted: number) => {
    if (found !== wanted) fail(`${key} holds ${found} numbers; ${signals.length} signals need ${wanted}`)
  }
  const width = 6 * signals.length
  expect('features.mean', features.mean.length, width)
  expect('features.scale', features.scale.length, width)
  expect('explain.base', explain.base.length, width)
  if (center.mode === 'follow') expect('center.prior_rows', center.prior_rows.length, width)
  if (drift) {
    expect('drift.quantiles', drift.quantiles.length, signals.length)
    expect('drift.worst', drift.worst.length, signals.length)
  }
  const names = detectors.map((x) => x.name)
  const twice = (list: readonly string[]) => list.find((x, i) => list.indexOf(x) !== i)
  const signal = twice(signals.map((s) => s.name))
  if (signal !== undefined) fail(`signals: ${signal} is listed twice`)
  const detector = twice(names)
  if (detector !== undefined) fail(`detectors: ${detector} is listed twice`)
  for (const name of [explain.primary, explain.forest]) {
    if (name !== undefined && !names.includes(name)) fail(`explain names ${name}, which is no detector of the bundle`)
  }
  if (!detectors.some((x) => x.weight > 0)) fail('detectors: every weight is 0')
}
