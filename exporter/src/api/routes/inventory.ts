import { z } from 'zod'
import { ApiError } from '../errors.ts'
import { findTarget, finite, iso, isoTime, targetParams } from '../parameters.ts'
import { defineRoute } from '../route.ts'

const named = z.strictObject({ name: z.string(), type: z.string() })

export const inventory = defineRoute({
  method: 'GET',
  path: '/targets/:target/inventory',
  scope: 'read',
  summary: 'What this host is made of',
  description: 'Read when somebody asks, at most once an hour. Parts that could not be read are missing.',
  errors: [404, 503],
  params: targetParams,
  response: z.strictObject({
    target: z.string(),
    read: isoTime,
    os: z.strictObject({ platform: z.string(), distribution: z.string(), release: z.string() }).optional(),
    kernel: z.strictObject({ version: z.string(), architecture: z.string() }).optional(),
    cpu: z.strictObject({ model: z.string(), cores: finite, physical_cores: finite }).optional(),
    memory: z.strictObject({ total_bytes: finite, swap_bytes: finite }).optional(),
    mounts: z.array(z.strictObject({ path: z.string(), type: z.string(), bytes: finite })).optional(),
    disks: z.array(named.extend({ bytes: finite })).optional(),
    interfaces: z
      .array(named.extend({ virtual: z.boolean(), state: z.string(), megabits_per_second: finite.nullable() }))
      .optional(),
  }),
  async handler({ deps, params: { target } }) {
    findTarget(deps, target)
    const read = await deps.inventory?.(target)
    if (read === undefined) {
      throw new ApiError(503, 'not_read', `nothing is known yet of what ${target} is made of`, 'target')
    }
    const { at, os, kernel, cpu, memory, mounts, disks, interfaces } = read
    return {
      target,
      read: iso(at),
      ...(os && { os }),
      ...(kernel && { kernel }),
      ...(cpu && { cpu: { model: cpu.model, cores: cpu.cores, physical_cores: cpu.physicalCores } }),
      ...(memory && { memory: { total_bytes: memory.totalBytes, swap_bytes: memory.swapBytes } }),
      ...(mounts && { mounts: mounts.map((x) => ({ ...x })) }),
      ...(disks && { disks: disks.map((x) => ({ ...x })) }),
      ...(interfaces && {
        interfaces: interfaces.map(({ megabitsPerSecond, ...x }) => ({ ...x, megabits_per_second: megabitsPerSecond })),
      }),
    }
  },
})
