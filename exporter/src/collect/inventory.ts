import { type Clock, systemClock } from './clock.ts'

type Si = Pick<
  typeof import('systeminformation'),
  'osInfo' | 'cpu' | 'mem' | 'fsSize' | 'blockDevices' | 'networkInterfaces'
>

/** What a host is made of. Parts that could not be read are absent. Neither addresses nor serial numbers are in it. */
export interface Inventory {
  /** Wall clock of the reading, Unix ms. */
  readonly at: number
  readonly os?: { readonly platform: string; readonly distribution: string; readonly release: string }
  readonly kernel?: { readonly version: string; readonly architecture: string }
  readonly cpu?: { readonly model: string; readonly cores: number; readonly physicalCores: number }
  readonly memory?: { readonly totalBytes: number; readonly swapBytes: number }
  readonly mounts?: readonly { readonly path: string; readonly type: string; readonly bytes: number }[]
  readonly disks?: readonly { readonly name: string; readonly type: string; readonly bytes: number }[]
  readonly interfaces?: readonly {
    readonly name: string
    readonly type: string
    readonly virtual: boolean
    readonly state: string
    /** Null where unknown. */
    readonly megabitsPerSecond: number | null
  }[]
}

export interface InventoryOptions {
  readonly clock?: Clock
  /** How long a reading is used (default an hour). */
  readonly refreshMs?: number
  /** How long a caller waits (default 20 s); parts that come later are in the answer to the next one. */
  readonly deadlineMs?: number
  readonly load?: () => Promise<Si>
}

const MOST_ENTRIES = 256

/**
 * The slow inventory by systeminformation, read when somebody asks and the last reading is too old.
 *
 * Its parts are read one after another, never two readings at a time: each call starts processes (`lsblk`, `df`) that may
 * hang, and one that never comes back leaves the parts before it, and whatever was known earlier, as the last word.
 */
export class InventoryReader {
  readonly #clock: Clock
  readonly #refreshMs: number
  readonly #deadlineMs: number
  readonly #load: () => Promise<Si>
  #inventory: Inventory | undefined
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  constructor({ clock = systemClock, refreshMs = 3_600_000, deadlineMs = 20_000, load }: InventoryOptions = {}) {
    this.#clock = clock
    this.#refreshMs = refreshMs
    this.#deadlineMs = deadlineMs
    this.#load = load ?? (async () => (await import('systeminformation')).default)
  }

  /** Never rejects; undefined where nothing is known yet. */
  async get(): Promise<Inventory | undefined> {
    if (this.#clock.monotonic() - this.#readAt < this.#refreshMs) return this.#inventory
    const before = this.#reading
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    // Whoever finds a reading under way, and something known, need not wait for what may hang.
    if (before !== undefined && this.#inventory !== undefined) return this.#inventory
    await this.#atMost(this.#reading)
    return this.#inventory
  }

  async #read(): Promise<void> {
    let known: Inventory = { at: this.#clock.wall() }
    const add = async (part: (si: Si) => Promise<Partial<Inventory>>) => {
      try {
        known = { ...known, ...(await part(await this.#load())) }
        // The first reading shows what it has; a later one replaces the whole when it is complete.
        if (this.#readAt === Number.NEGATIVE_INFINITY) this.#inventory = known
      } catch {
        // The part is absent: a platform without the tool is no failure of the service.
      }
    }
    await add(async (si) => {
      const { platform, distro, release, kernel, arch } = await si.osInfo()
      return {
        os: { platform, distribution: distro, release },
        kernel: { version: kernel, architecture: arch },
      }
    })
    await add(async (si) => {
      const { manufacturer, brand, cores, physicalCores } = await si.cpu()
      return { cpu: { model: `${manufacturer} ${brand}`.trim(), cores, physicalCores } }
    })
    await add(async (si) => {
      const { total, swaptotal } = await si.mem()
      return { memory: { totalBytes: total, swapBytes: swaptotal } }
    })
    await add(async (si) => ({
      interfaces: list(await si.networkInterfaces()).map(({ iface, type, virtual, operstate, speed }) => ({
        name: iface,
        type,
        virtual,
        state: operstate,
        megabitsPerSecond: typeof speed === 'number' && speed >= 0 ? speed : null,
      })),
    }))
    await add(async (si) => ({
      disks: list(await si.blockDevices())
        .filter(({ type }) => type === 'disk')
        .map(({ name, physical, type, size }) => ({ name, type: physical || type, bytes: Number(size) })),
    }))
    // Last, since `df` is the one that a dead network mount hangs.
    await add(async (si) => ({
      mounts: list(await si.fsSize()).map(({ mount, type, size }) => ({ path: mount, type, bytes: size })),
    }))
    // What this reading did not find is gone, and must not live on from an earlier one.
    this.#inventory = known
    this.#readAt = this.#clock.monotonic()
  }

  async #atMost(reading: Promise<void>): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(this.#deadlineMs, resolve, true)
      void reading.then(() => {
        cancel()
        resolve()
      })
    })
  }
}

/** Some platforms give one object where the type says a list. */
function list<T>(x: T | T[]): T[] {
  return (Array.isArray(x) ? x : [x]).slice(0, MOST_ENTRIES)
}
