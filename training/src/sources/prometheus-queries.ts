/**
 * What of node_exporter (1.5 and later, default collectors) is which signal of a host, as PromQL.
 *
 * `$host` stands for the label matchers of one host, `$window` for the range of a rate. Each expression gives one series
 * at most; a metric that the host lacks gives none, and the signal is absent. The probes and the service's own event loop
 * have no counterpart there. One line a signal: to follow another exporter, change the line.
 */

/** Whole physical disks, and interfaces that are not made up of others, as the collectors of the service count them. */
const DISK = 'device!~"(loop|ram|zram|dm-|md|sr|fd|bcache|drbd|zd)[0-9].*"'
const INTERFACE = 'device!~"lo|(veth|docker|br-|virbr|tun|tap|bond|team|cni|flannel|cali|vnet|wg).*"'
const FILE_SYSTEM =
  'fstype!~"(tmpfs|ramfs|devtmpfs|overlay|squashfs|iso9660|proc|sysfs|cgroup2?|nsfs|autofs|fuse.*|nfs4?|cifs|efivarfs)"'

const rate = (metric: string, more = '') => `rate(${metric}{$host${more && `,${more}`}}[$window])`
const sum = (...terms: string[]) => terms.map((term) => `sum(${term})`).join(' + ')
const value = (metric: string, more = '') => `${metric}{$host${more && `,${more}`}}`
const idle = rate('node_cpu_seconds_total', 'mode=~"idle|iowait"')
const size = value('node_filesystem_size_bytes', FILE_SYSTEM)
const free = value('node_filesystem_free_bytes', FILE_SYSTEM)
const available = value('node_filesystem_avail_bytes', FILE_SYSTEM)
const files = value('node_filesystem_files', FILE_SYSTEM)

export const PROMETHEUS_QUERIES: Readonly<Record<string, string>> = {
  cpu_busy: `1 - avg(sum by (cpu) (${idle}))`,
  cpu_iowait: `avg(${rate('node_cpu_seconds_total', 'mode="iowait"')})`,
  cpu_steal: `avg(${rate('node_cpu_seconds_total', 'mode="steal"')})`,
  cpu_busiest_core: `1 - min(sum by (cpu) (${idle}))`,
  load_per_core: `max(${value('node_load1')}) / count(${value('node_cpu_seconds_total', 'mode="idle"')})`,
  memory_used: `1 - max(${value('node_memory_MemAvailable_bytes')}) / max(${value('node_memory_MemTotal_bytes')})`,
  swap_used: `1 - max(${value('node_memory_SwapFree_bytes')}) / (max(${value('node_memory_SwapTotal_bytes')}) > 0)`,
  disk_busy: `max(${rate('node_disk_io_time_seconds_total', DISK)})`,
  filesystem_used: `max((${size} - ${free}) / (${size} - ${free} + ${available} > 0))`,
  inodes_used: `max(1 - ${value('node_filesystem_files_free', FILE_SYSTEM)} / (${files} > 0))`,
  tcp_retransmit: `max(${rate('node_netstat_Tcp_RetransSegs')}) / (max(${rate('node_netstat_Tcp_OutSegs')}) > 0)`,
  file_descriptors_used: `max(${value('node_filefd_allocated')}) / max(${value('node_filefd_maximum')})`,
  pressure_cpu_some: `max(${rate('node_pressure_cpu_waiting_seconds_total')})`,
  pressure_memory_some: `max(${rate('node_pressure_memory_waiting_seconds_total')})`,
  pressure_memory_full: `max(${rate('node_pressure_memory_stalled_seconds_total')})`,
  pressure_io_some: `max(${rate('node_pressure_io_waiting_seconds_total')})`,
  pressure_io_full: `max(${rate('node_pressure_io_stalled_seconds_total')})`,
  disk_read: sum(rate('node_disk_read_bytes_total', DISK)),
  disk_write: sum(rate('node_disk_written_bytes_total', DISK)),
  swap_io: `4096 * (${sum(rate('node_vmstat_pswpin'), rate('node_vmstat_pswpout'))})`,
  network_receive: sum(rate('node_network_receive_bytes_total', INTERFACE)),
  network_transmit: sum(rate('node_network_transmit_bytes_total', INTERFACE)),
  context_switches: sum(rate('node_context_switches_total')),
  interrupts: sum(rate('node_intr_total')),
  forks: sum(rate('node_forks_total')),
  major_page_faults: sum(rate('node_vmstat_pgmajfault')),
  network_errors: sum(
    rate('node_network_receive_errs_total', INTERFACE),
    rate('node_network_transmit_errs_total', INTERFACE),
    rate('node_network_receive_drop_total', INTERFACE),
    rate('node_network_transmit_drop_total', INTERFACE),
  ),
  disk_latency: `max((${rate('node_disk_read_time_seconds_total', DISK)} + ${rate('node_disk_write_time_seconds_total', DISK)}) / (${rate('node_disk_reads_completed_total', DISK)} + ${rate('node_disk_writes_completed_total', DISK)} > 0))`,
  processes_running: `max(${value('node_procs_running')})`,
  processes_blocked: `max(${value('node_procs_blocked')})`,
  processes_zombie: `max(${value('node_processes_state', 'state="Z"')})`,
  tcp_connections: `max(${value('node_sockstat_TCP_inuse')})`,
  temperature: `max(${value('node_hwmon_temp_celsius')})`,
}

/** The instances that a server has a node_exporter of. */
export const INSTANCES_QUERY = 'count by (instance) (node_memory_MemTotal_bytes)'

/** Scrapes in ten minutes of the host's node_exporter, from which the range of a rate follows. */
export const SCRAPES_QUERY = 'max(count_over_time(node_memory_MemTotal_bytes{$host}[10m]))'

/** What of a host can run out one by one: a share used for each mount, named `filesystem:/var`. */
export const MOUNT_QUERIES: Readonly<Record<string, string>> = {
  filesystem: `max by (mountpoint) ((${size} - ${free}) / (${size} - ${free} + ${available} > 0))`,
  inodes: `max by (mountpoint) (1 - ${value('node_filesystem_files_free', FILE_SYSTEM)} / (${files} > 0))`,
}

/** What a share of 1 is, for each mount, or for the host. */
export const WHOLE_QUERIES: Readonly<Record<string, { readonly query: string; readonly unit: string }>> = {
  filesystem: { query: `max by (mountpoint) (${size} - ${free} + ${available})`, unit: 'bytes' },
  inodes: { query: `max by (mountpoint) (${files} > 0)`, unit: 'inodes' },
  memory_used: { query: `max(${value('node_memory_MemTotal_bytes')})`, unit: 'bytes' },
  swap_used: { query: `max(${value('node_memory_SwapTotal_bytes')} > 0)`, unit: 'bytes' },
  file_descriptors_used: { query: `max(${value('node_filefd_maximum')})`, unit: 'handles' },
}
