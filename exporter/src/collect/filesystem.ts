import { statfs } from 'node:fs'
import type { Resource } from '../types.ts'
import type { Clock } from './clock.ts'
import { type Collector, NO_DATA, type Reading } from './collector.ts'
import type { LinuxContext } from './kernel_files.ts'
import { type Mount, type MountFilter, mountTest, realMounts } from './mounts.ts'
import { share } from './parse.ts'

/** Blocks of a file system in units of `bsize` bytes, as in statfs(2). */
export interface FileSystemStats {
  readonly bsize: number
  readonly blocks: number
  readonly bfree: number
  /** Free for unprivileged users. */
  readonly bavail: number
  readonly files: number
  readonly ffree: number
}
export type Statfs = (path: string) => Promise<FileSystemStats>

const MOST_MOUNTS = 50
const DEADLINE_MS = 1000
/**
 * Calls in flight. A call that hangs holds one of the four threads on which Node does all its file and name look-ups:
 * one is always left to the rest of the process.
 */
const MOST_CALLS = 3

export const nodeStatfs: Statfs = (path) =>
  new Promise((resolve, reject) => statfs(path, (error, stats) => (error ? reject(error) : resolve(stats))))

/**
 * filesystem_used and inodes_used (worst mount); resources `filesystem:MOUNT` and `inodes:MOUNT`.
 *
 * Mounts of local file systems from /proc/self/mountinfo, each asked by statfs(2) with a deadline of its own: one that hangs
 * is missing until its call comes back and delays nobody else. Used is what `df` shows: used / (used + available to
 * unprivileged users). A file system whose space runs out only for its quota, or inside its thin pool, is not seen.
 */
export function filesystem(
  { files, clock }: LinuxContext,
  ask: Statfs = nodeStatfs,
  filter: MountFilter = {},
): Collector {
  const wanted = mountTest(filter)
  const asking = new Set<string>()
  let listed = ''
  let mounts: readonly Mount[] = []
  return {
    name: 'filesystem',
    everySeconds: 4,
    async collect(signal): Promise<Reading> {
      const text = files.proc('self/mountinfo')
      if (text === undefined) return NO_DATA
      if (text !== listed) {
        listed = text
        mounts = realMounts(text, wanted).slice(0, MOST_MOUNTS)
      }
      const asked = mounts
      return fileSystemReading(asked, await askAll(asked, ask, asking, clock, signal))
    },
  }
}

/** Asks every mount that no earlier call still waits for; resolves when all have answered or the deadline has passed. */
function askAll(
  mounts: readonly Mount[],
  ask: Statfs,
  asking: Set<string>,
  clock: Clock,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, FileSystemStats>> {
  const found = new Map<string, FileSystemStats>()
  const queue = mounts.filter(({ path }) => !asking.has(path))
  return new Promise((resolve) => {
    let waiting = queue.length
    let next = 0
    let over = false
    const finish = () => {
      over = true
      cancel()
      signal.removeEventListener('abort', finish)
      resolve(found)
    }
    const cancel = clock.after(DEADLINE_MS, finish)
    signal.addEventListener('abort', finish)
    const start = () => {
      while (!over && asking.size < MOST_CALLS && next < queue.length) {
        const path = queue[next++]?.path
        if (path === undefined) continue
        asking.add(path)
        void ask(path)
          .then(
            (stats) => found.set(path, stats),
            // Unmounted since the list was read, or not ours to see: the mount is missing.
            () => undefined,
          )
          .then(() => {
            asking.delete(path)
            waiting--
            if (!over && waiting === 0) finish()
            else start()
          })
      }
    }
    // With every call taken by a mount that hangs there is nobody to ask, and nothing to wait for.
    if (waiting === 0 || asking.size >= MOST_CALLS) finish()
    else start()
  })
}

export function fileSystemReading(
  mounts: readonly Mount[],
  found: ReadonlyMap<string, FileSystemStats>,
): { values: Record<string, number>; resources: Resource[] } {
  const values: Record<string, number> = {}
  const resources: Resource[] = []
  const add = (signal: string, resource: Resource) => {
    if (!Number.isFinite(resource.used)) return
    resources.push(resource)
    values[signal] = Math.max(values[signal] ?? 0, resource.used)
  }
  for (const { path } of mounts) {
    const s = found.get(path)
    if (s === undefined || !(s.blocks > 0)) continue
    const used = s.blocks - s.bfree
    add('filesystem_used', {
      resource: `filesystem:${path}`,
      used: share(used / (used + s.bavail)),
      capacity: s.blocks * s.bsize,
      unit: 'bytes',
    })
    // btrfs, vfat and others make inodes as needed and report none.
    if (s.files > 0) {
      add('inodes_used', {
        resource: `inodes:${path}`,
        used: share((s.files - s.ffree) / s.files),
        capacity: s.files,
        unit: 'inodes',
      })
    }
  }
  return { values, resources }
}
