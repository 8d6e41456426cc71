/**
 * Real faults on this host: real files fill a small file system, real load comes from stress-ng. Each is run by hand of a
 * script that knows what it does and when, within limits, and cleans up after itself.
 *
 * `run({dir, minutes, log})` resolves with `{from, to, event}` in Unix seconds: `event` is when the stated failure was
 * there, null where it was cured before.
 */
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeFileSync, writeSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const now = () => Date.now() / 1000
const has = (program) => spawnSync('which', [program]).status === 0
const BLOCK = Buffer.alloc(1 << 16, 0x5a)
const IMAGE_MIB = 768
const STEP_MS = 1000

/** A file system of its own in an image file; null and a reason where that cannot be had. */
export function smallFileSystem(dir, name, inodes) {
  if (process.getuid?.() !== 0) return { reason: 'mounting an image file needs root' }
  if (!has('mkfs.ext4')) return { reason: 'mkfs.ext4 is not installed' }
  const image = join(dir, `${name}.img`)
  const mount = join(dir, name)
  mkdirSync(mount)
  const steps = [
    ['truncate', ['-s', `${IMAGE_MIB}M`, image]],
    ['mkfs.ext4', ['-q', '-F', '-m', '0', ...(inodes === undefined ? [] : ['-N', String(inodes)]), image]],
    ['mount', ['-o', 'loop', image, mount]],
  ]
  for (const [command, args] of steps) {
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
    if (status !== 0) return { reason: `${command}: ${stderr.trim()}` }
  }
  return { mount, remove: () => spawnSync('umount', ['-l', mount]) }
}

const usedOf = (mount) => {
  const { blocks, bavail, files, ffree } = statfsSync(mount)
  return { space: 1 - bavail / blocks, inodes: 1 - ffree / files }
}

/** Writes a file so that `until` (share used) is reached after `minutes`, evenly; stops at the first write that fails. */
async function fill(mount, minutes, until = 1.02) {
  const { blocks, bsize } = statfsSync(mount)
  const start = usedOf(mount).space
  const bytes = (until - start) * blocks * bsize
  const began = now()
  const file = openSync(join(mount, 'grown'), 'w')
  let written = 0
  try {
    for (;;) {
      const due = (bytes * (now() - began)) / (60 * minutes)
      while (written < Math.min(due, bytes)) written += writeSync(file, BLOCK)
      if (written >= bytes) return null
      await sleep(STEP_MS)
    }
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error
    return now()
  } finally {
    closeSync(file)
  }
}

async function makeFiles(mount, minutes, until = 1.02) {
  const { files, ffree } = statfsSync(mount)
  const most = Math.floor(until * files) - (files - ffree)
  const began = now()
  let made = 0
  try {
    for (;;) {
      const due = (most * (now() - began)) / (60 * minutes)
      while (made < Math.min(due, most)) {
        const folder = join(mount, `d${made >> 10}`)
        if ((made & 1023) === 0) mkdirSync(folder)
        writeFileSync(join(folder, `f${made++}`), '')
      }
      if (made >= most) return null
      await sleep(STEP_MS)
    }
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error
    return now()
  }
}

const empty = (mount) => {
  for (const name of ['grown', ...Array.from({ length: 1024 }, (_, i) => `d${i}`)]) {
    rmSync(join(mount, name), { recursive: true, force: true })
  }
}

async function stress(args, seconds) {
  const child = spawn('stress-ng', [...args, '--timeout', `${Math.round(seconds)}s`], { stdio: 'ignore' })
  await new Promise((resolve) => child.on('exit', resolve))
}

/** More and more of a load, step by step; the last step is held. */
async function ramp(steps, minutes) {
  for (const args of steps) await stress(args, (60 * minutes) / steps.length)
}

const cores = cpus().length

export const FAULTS = [
  {
    name: 'disk fills',
    about: 'a file grows evenly until a write fails',
    resource: 'filesystem',
    needs: 'mount',
    async run({ mount, minutes }) {
      const from = now()
      const event = await fill(mount, minutes)
      await sleep(30_000)
      const to = now()
      empty(mount)
      return { from, to, event }
    },
  },
  {
    name: 'disk fills, cured',
    about: 'a file grows evenly and is removed at 80 %',
    resource: 'filesystem',
    needs: 'mount',
    async run({ mount, minutes }) {
      const from = now()
      await fill(mount, minutes, 0.8)
      const to = now()
      empty(mount)
      return { from, to, event: null }
    },
  },
  {
    name: 'inodes run out',
    about: 'small files are made evenly until one cannot be',
    resource: 'inodes',
    needs: 'inodes',
    async run({ mount, minutes }) {
      const from = now()
      const event = await makeFiles(mount, minutes)
      await sleep(30_000)
      const to = now()
      empty(mount)
      return { from, to, event }
    },
  },
  {
    name: 'CPU runaway',
    about: 'stress-ng takes one core, then all, then many times all',
    saturated: ({ cpu_busy, response_time }, usual) => cpu_busy > 0.97 && response_time > 6 * usual,
    needs: 'stress-ng',
    async run({ minutes }) {
      const from = now()
      const load = (n) => ['--cpu', String(n), '--cpu-method', 'matrixprod']
      await ramp([load(1), load(cores), load(4 * cores), load(16 * cores)], minutes)
      return { from, to: now(), event: null }
    },
  },
  {
    name: 'I/O saturation',
    about: 'stress-ng writes and syncs with more and more workers',
    saturated: ({ disk_busy, disk_latency, response_time }, usual) =>
      disk_busy > 0.97 && (disk_latency > 0.25 || response_time > 6 * usual),
    needs: 'stress-ng',
    async run({ dir, minutes }) {
      const from = now()
      const load = (n) => ['--hdd', String(n), '--hdd-opts', 'fsync', '--hdd-bytes', '64M', '--temp-path', dir]
      await ramp([load(1), load(2), load(8)], minutes)
      return { from, to: now(), event: null }
    },
  },
]

/** Why a fault cannot be made here, null where it can. */
export function missing({ needs }, mounts) {
  if (needs === 'stress-ng') return has('stress-ng') ? null : 'stress-ng is not installed'
  const reason = mounts[needs]?.reason
  return reason ?? null
}
