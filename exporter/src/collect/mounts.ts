export interface Mount {
  readonly path: string
  readonly type: string
  /** major:minor, or the block device: what is counted once. */
  readonly device: string
}

export interface MountFilter {
  /** Regular expressions; a mount point in which one is found is left out. */
  readonly excludeMounts?: readonly string[]
  readonly excludeTypes?: readonly string[]
}
export type MountTest = (mount: Pick<Mount, 'path' | 'type'>) => boolean

/** Whether a mount is wanted. Throws RangeError for an expression that is none. */
export function mountTest({ excludeMounts = [], excludeTypes = [] }: MountFilter = {}): MountTest {
  const expressions = excludeMounts.map((source) => {
    try {
      return new RegExp(source)
    } catch (error) {
      throw new RangeError(`excludeMounts: ${JSON.stringify(source)} is not a regular expression`, { cause: error })
    }
  })
  return ({ path, type }) => !excludeTypes.includes(type) && !expressions.some((expression) => expression.test(path))
}

/** Local file systems that hold data. Network ones may hang and belong to another host; images are full by design. */
const REAL_TYPES = new Set([
  'ext2',
  'ext3',
  'ext4',
  'xfs',
  'btrfs',
  'zfs',
  'f2fs',
  'bcachefs',
  'jfs',
  'nilfs2',
  'reiserfs',
  'ufs',
  'vfat',
  'msdos',
  'exfat',
  'ntfs',
  'ntfs3',
  'fuseblk',
  'hfsplus',
])

/**
 * The mounts of /proc/self/mountinfo (proc(5)) that hold a local file system, one for each device: the mount of its root
 * directory before bind mounts, and the shorter path before the longer. An overlay counts only as the root directory, as
 * inside a container.
 */
export function realMounts(mountinfo: string, wanted: MountTest = () => true): Mount[] {
  const byPath = new Map<string, Mount & { readonly whole: boolean }>()
  for (const line of mountinfo.split('\n')) {
    // id parent major:minor root path options [tags...] - type source superoptions
    const separator = line.indexOf(' - ')
    if (separator < 0) continue
    const [, , number, root, rawPath] = line.slice(0, separator).split(' ')
    const [type, source] = line.slice(separator + 3).split(' ')
    if (number === undefined || rawPath === undefined || type === undefined) continue
    const path = unescaped(rawPath)
    // A later mount hides an earlier one on the same path, whatever its type.
    byPath.delete(path)
    if (!REAL_TYPES.has(type) && !(type === 'overlay' && path === '/')) continue
    if (!wanted({ path, type })) continue
    // The subvolumes of a btrfs and the datasets of a pool have numbers of their own; the former share a block device.
    const device = source?.startsWith('/dev/') && source !== '/dev/root' ? source : number
    byPath.set(path, { path, type, device, whole: root === '/' })
  }
  const byDevice = new Map<string, Mount & { readonly whole: boolean }>()
  for (const mount of byPath.values()) {
    const other = byDevice.get(mount.device)
    if (other === undefined || preferred(mount, other)) byDevice.set(mount.device, mount)
  }
  return [...byDevice.values()]
    .map(({ path, type, device }) => ({ path, type, device }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

function preferred(
  a: { readonly whole: boolean; readonly path: string },
  b: { readonly whole: boolean; readonly path: string },
): boolean {
  return a.whole === b.whole ? a.path.length < b.path.length : a.whole
}

/** The kernel writes blank, tab, newline and backslash as three octal digits; bytes are UTF-8. */
export function unescaped(path: string): string {
  const bytes = path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
