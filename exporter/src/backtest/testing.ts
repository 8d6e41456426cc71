/** For tests: the past of a made-up host, one row a minute, as node_exporter would have given it. */

export interface MadeUp {
  readonly days: number
  /** Unix s of the first row. */
  readonly from: number
  /** Day on which /var begins to fill, from half to full in `fillHours`; two hours later it is cleaned. */
  readonly fillDay: number
  readonly fillHours: number
  /** Day on which two processors are busy for forty minutes. */
  readonly busyDay: number
}

/** What the host was at a minute. Shares are 0-1. */
export interface HostMinute {
  readonly at: number
  readonly busy: number
  readonly iowait: number
  readonly load: number
  readonly memory: number
  readonly root: number
  readonly var: number
  readonly srv: number
  readonly read: number
  readonly write: number
  readonly receive: number
  readonly transmit: number
}

const DAY = 86_400
const HOUR = 3600

/** The same every time. */
export function* hostMinutes({ days, from, fillDay, fillHours, busyDay }: MadeUp): Generator<HostMinute> {
  let seed = 7
  const uniform = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
    return seed / 0x7fffffff
  }
  const noise = (size: number) => size * (uniform() + uniform() + uniform() - 1.5)
  let work = 0
  for (let at = from; at < from + days * DAY; at += 60) {
    work = 0.95 * work + noise(0.02)
    const day = (at - from) / DAY
    const hour = (at % DAY) / HOUR
    const wave = 0.5 - 0.5 * Math.cos((2 * Math.PI * (hour - 4)) / 24)
    const isBackup = hour >= 2 && hour < 2.5
    const isBusy = day >= busyDay && day < busyDay + 40 / 1440
    const busy = Math.min(0.99, Math.max(0.02, 0.08 + 0.3 * wave + work + noise(0.02) + (isBusy ? 0.6 : 0)))
    const filled = (day - fillDay) * 24
    yield {
      at,
      busy,
      iowait: Math.max(0, 0.004 + noise(0.004) + (isBackup ? 0.08 : 0)),
      load: Math.max(0, 2 * busy + noise(0.2) + (isBusy ? 3 : 0)),
      memory: 0.42 + 0.1 * wave + 0.2 * work + noise(0.004),
      root: 0.31 + 0.0005 * day,
      var: filled < 0 || filled > fillHours + 2 ? 0.5 + noise(0.002) : Math.min(1, 0.5 + (0.5 * filled) / fillHours),
      // Grows all day, and is cleaned from ten to midnight.
      srv: hour < 22 ? 0.5 + (0.36 * hour) / 22 : 0.86 - 0.18 * (hour - 22),
      read: Math.max(0, 2e5 + 1e6 * wave + noise(2e5) + (isBackup ? 3e7 : 0)),
      write: Math.max(0, 4e5 + 1e6 * wave + noise(3e5)),
      receive: Math.max(0, 1e5 + 6e5 * wave + noise(1e5)),
      transmit: Math.max(0, 2e5 + 9e5 * wave + noise(1e5) + (isBackup ? 8e6 : 0)),
    }
  }
}

const GIB = 2 ** 30

/** Counters are sums over the minutes so far; the text is one family after the other, as the format asks for. */
export function openMetricsOf(minutes: Iterable<HostMinute>, instance: string): string {
  const families = new Map<string, { type: 'counter' | 'gauge'; lines: string[] }>()
  const sums = new Map<string, number>()
  const put = (type: 'counter' | 'gauge', name: string, labels: string, at: number, value: number) => {
    const family = families.get(name) ?? { type, lines: [] }
    families.set(name, family)
    const all = `instance="${instance}",job="node"${labels && `,${labels}`}`
    const suffix = type === 'counter' ? '_total' : ''
    family.lines.push(`${name}${suffix}{${all}} ${value} ${at}`)
  }
  const count = (name: string, labels: string, at: number, add: number) => {
    const key = `${name} ${labels}`
    const sum = (sums.get(key) ?? 0) + Math.max(0, add)
    sums.set(key, sum)
    put('counter', name, labels, at, Number(sum.toFixed(3)))
  }
  for (const m of minutes) {
    const { at } = m
    for (const cpu of [0, 1]) {
      for (const [mode, share] of Object.entries({
        user: m.busy,
        iowait: m.iowait,
        idle: 1 - m.busy - m.iowait,
        steal: 0,
      })) {
        count('node_cpu_seconds', `cpu="${cpu}",mode="${mode}"`, at, 60 * share)
      }
    }
    put('gauge', 'node_load1', '', at, Number(m.load.toFixed(2)))
    put('gauge', 'node_memory_MemTotal_bytes', '', at, 4 * GIB)
    put('gauge', 'node_memory_MemAvailable_bytes', '', at, Math.round(4 * GIB * (1 - m.memory)))
    const disk = 'device="sda"'
    count('node_disk_read_bytes', disk, at, 60 * m.read)
    count('node_disk_written_bytes', disk, at, 60 * m.write)
    count('node_disk_io_time_seconds', disk, at, Math.min(60, (m.read + m.write) / 1e6))
    for (const [mount, used, fstype] of [
      ['/', m.root, 'ext4'],
      ['/var', m.var, 'ext4'],
      ['/srv', m.srv, 'xfs'],
      ['/run', 0.999, 'tmpfs'],
    ] as const) {
      const labels = `device="/dev${mount}",fstype="${fstype}",mountpoint="${mount}"`
      const size = 100 * GIB
      const reserved = fstype === 'ext4' ? 0.05 * size : 0
      const available = Math.round((size - reserved) * (1 - used))
      put('gauge', 'node_filesystem_size_bytes', labels, at, size)
      put('gauge', 'node_filesystem_avail_bytes', labels, at, available)
      put('gauge', 'node_filesystem_free_bytes', labels, at, available + reserved)
      put('gauge', 'node_filesystem_files', labels, at, 6_553_600)
      put('gauge', 'node_filesystem_files_free', labels, at, Math.round(6_553_600 * (1 - 0.3 * used)))
    }
    put('gauge', 'node_filefd_allocated', '', at, 2000 + Math.round(500 * m.busy))
    put('gauge', 'node_filefd_maximum', '', at, 100_000)
    const card = 'device="eth0"'
    count('node_network_receive_bytes', card, at, 60 * m.receive)
    count('node_network_transmit_bytes', card, at, 60 * m.transmit)
    count('node_context_switches', '', at, 60 * (1000 + 4000 * m.busy))
    count('node_intr', '', at, 60 * (500 + 2000 * m.busy))
    put('gauge', 'node_procs_running', '', at, 1 + Math.round(2 * m.load))
    put('gauge', 'node_sockstat_TCP_inuse', '', at, 40 + Math.round(m.receive / 2e4))
  }
  const text = [...families].map(([name, { type, lines }]) => `# TYPE ${name} ${type}\n${lines.join('\n')}\n`)
  return `${text.join('')}# EOF\n`
}

/** The same as a recording with the file that says what its columns are. */
export function recordingOf(minutes: Iterable<HostMinute>): { csv: string; signals: string } {
  const used = { unit: 'ratio', capacity: 1 }
  const signals = {
    cpu_busy: { kind: 'cpu_busy_ratio', unit: 'ratio' },
    cpu_iowait: { kind: 'cpu_iowait_ratio', unit: 'ratio' },
    load_per_core: { kind: 'load_per_core', unit: 'none' },
    memory_used: { kind: 'memory_used_ratio', ...used },
    disk_read: { kind: 'other', unit: 'bytes_per_second' },
    disk_write: { kind: 'other', unit: 'bytes_per_second' },
    network_receive: { kind: 'network_rate', unit: 'bytes_per_second' },
    network_transmit: { kind: 'network_rate', unit: 'bytes_per_second' },
    'filesystem:/': { kind: 'disk_used_ratio', ...used },
    'filesystem:/var': { kind: 'disk_used_ratio', ...used },
    'filesystem:/srv': { kind: 'disk_used_ratio', ...used },
  }
  const lines = [['timestamp', ...Object.keys(signals)].join(',')]
  for (const m of minutes) {
    const values = [
      m.busy,
      m.iowait,
      m.load / 2,
      m.memory,
      m.read,
      m.write,
      m.receive,
      m.transmit,
      m.root,
      m.var,
      m.srv,
    ]
    lines.push([m.at, ...values.map((x) => Number(x.toPrecision(6)))].join(','))
  }
  return { csv: `${lines.join('\n')}\n`, signals: JSON.stringify({ interval_seconds: 60, signals }) }
}
