import type { FileSystem } from './fs.js'

/** Types of local file systems as `statfs` reports them: magic numbers of Linux. */
const LOCAL: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0xca451a4e, // bcachefs
  0x794c7630, // overlayfs
  0x01021994, // tmpfs
  0x858458f6, // ramfs
])

/**
 * Whether a directory is certainly on a file system that no other machine writes to. NFS, SMB, FUSE and cluster file
 * systems do not qualify.
 */
export async function isOnLocalFileSystem(directory: string, fs: FileSystem): Promise<boolean> {
  if (process.platform !== 'linux') return false
  const facts = await fs.statfs(directory).catch(() => undefined)
  return facts !== undefined && LOCAL.has(facts.type >>> 0)
}
