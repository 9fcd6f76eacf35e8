internal import CFuse
internal import Glibc

/// What the kernel and we agree on when a session starts: bits of FUSE_INIT (<linux/fuse.h>).
public struct ConnectionFlags: OptionSet, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// We clear set-id bits, so that the kernel does not look for capabilities before every write.
    public static let handlesSetIDs = ConnectionFlags(rawValue: 1 << 28)
    /// Pages stay until we invalidate them. Else the kernel drops all pages of a file when it sees another
    /// time or length than it had.
    public static let explicitInvalidation = ConnectionFlags(rawValue: 1 << 25)
}

/// What we ask for, each where the kernel has it, and why.
enum Connection {
    private static let wanted: [UInt64] = [
        1 << 0,  // ASYNC_READ: read-ahead goes on while earlier pages are on their way
        1 << 3,  // ATOMIC_O_TRUNC: open truncates by itself, which saves a setattr
        1 << 5,  // BIG_WRITES: more than a page a write
        1 << 13,  // DO_READDIRPLUS: a listing brings the attributes, so that `ls -l` asks nothing more
        1 << 18,  // PARALLEL_DIROPS: lookups and listings of one directory run beside each other
        1 << 22,  // MAX_PAGES: 256 pages a request instead of 32
        1 << 23,  // CACHE_SYMLINKS: a target is read once; it never changes
        ConnectionFlags.explicitInvalidation.rawValue,
        ConnectionFlags.handlesSetIDs.rawValue,
        1 << 30,  // INIT_EXT: there is a second word of flags, for the next ones
        // Programs may share mappings of files with direct I/O (SQLite's do).
        COFFER_FUSE_DIRECT_IO_ALLOW_MMAP,
        COFFER_FUSE_NO_EXPORT_SUPPORT,  // no open_by_handle_at(2) past the names, and no NFS
    ]
    // Left out with a reason:
    // ASYNC_DIO: an asynchronous write past the page cache (O_DIRECT with io_submit(2) or io_uring(7)) then ends without
    // dropping the pages that somebody has read meanwhile, and they stay, with what was in the file before it
    // (fuse_aio_complete in fs/fuse/file.c). Without it such a write runs to its end when it is submitted.
    // WRITEBACK_CACHE: what a program wrote would wait in the kernel, where a lock or a crash loses it.
    // AUTO_INVAL_DATA: the opposite of EXPLICIT_INVAL_DATA, and stronger.
    // READDIRPLUS_AUTO: listings without attributes would be followed by a lookup for each name.
    // POSIX_ACL: changes what a mode means; DONT_MASK: goes with it; SETXATTR_EXT: has one flag, for ACLs.
    // CREATE_SUPP_GROUP: for servers that create files under the caller's id; the kernel itself has already
    // taken the set-group-id bit from a mode where the caller is not in the directory's group.
    // EXPORT_SUPPORT: lookups of "." and ".." by number. POSIX_LOCKS, FLOCK_LOCKS: the kernel keeps locks.
    // SPLICE_*: pipes instead of a copy; contents pass through the cipher anyway.
    // NO_OPEN_SUPPORT: every open shall be seen, also by a lock.

    static var wantedBits: UInt64 { wanted.reduce(0, |) }

    /// The largest read and write, in bytes: 256 pages, the most that a kernel takes unless it is told
    /// otherwise (fs.fuse.max_pages_limit).
    static let largest: UInt32 = 1 << 20

    /// Whether the kernel drops, behind a write past the page cache, the pages that somebody has read while it went on:
    /// "fuse: Invalidate the page cache after FOPEN_DIRECT_IO write". No flag tells; some older kernels do so, too.
    static let dropsPagesBehindWrites = release >= Release(parts: [6, 18, 3])

    private static var release: Release {
        var system = utsname()
        guard unsafe uname(&system) == 0 else { return Release("") }
        return unsafe withUnsafeBytes(of: &system.release) { bytes in
            unsafe Release(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
        }
    }

    /// A kernel's number, such as 6.18.3 of `6.18.3-amd64`.
    struct Release: Comparable {
        var parts: [Int]

        init(parts: [Int]) { self.parts = parts }

        init(_ text: String) {
            parts = text.prefix { $0.isNumber || $0 == "." }.split(separator: ".").map { Int($0) ?? 0 }
        }

        static func < (left: Release, right: Release) -> Bool { left.parts.lexicographicallyPrecedes(right.parts) }
    }

    static func negotiate(_ connection: UnsafeMutablePointer<fuse_conn_info>?) {
        unsafe connection?.pointee.max_write = largest
        unsafe connection?.pointee.max_readahead = largest
        // Requests that nobody waits for; the default of 12 holds read-ahead of a few files back.
        unsafe connection?.pointee.max_background = 64
    }
}
