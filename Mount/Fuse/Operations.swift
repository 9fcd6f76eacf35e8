internal import CFuse
internal import Glibc

/// The table of callbacks. Each wraps the request, calls the file system and answers. C function pointers
/// capture nothing, and closures that become one live in nonisolated code: libfuse calls them on threads of
/// its own.
enum Operations {
    static func table() -> fuse_lowlevel_ops {
        var table = fuse_lowlevel_ops()
        unsafe table.`init` = { _, connection in unsafe Connection.negotiate(connection) }
        addNames(to: &table)
        addAttributes(to: &table)
        addFiles(to: &table)
        addContents(to: &table)
        addDirectories(to: &table)
        addExtendedAttributes(to: &table)
        return table
    }
}

// MARK: What C gives

extension Optional where Wrapped == UnsafePointer<CChar> {
    /// The bytes of a C string, without its NUL; none for a null pointer.
    var span: RawSpan {
        @_lifetime(borrow self)
        get {
            guard let base = self else { return RawSpan() }
            let span = unsafe UnsafeRawBufferPointer(start: base, count: strlen(base)).bytes
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}

extension Optional where Wrapped == UnsafeMutablePointer<fuse_file_info> {
    /// The handle of an operation on an open file; libfuse always gives it.
    var fileHandle: Handle { Handle(self?.pointee.fh ?? 0) }

    /// The handle that an operation came through, where it came through one.
    var handle: Handle? { unsafe map { unsafe Handle($0.pointee.fh) } }

    /// The flags of open(2).
    var flags: Int32 { (self?.pointee.flags ?? 0) & ~COFFER_FUSE_KILLS_SET_IDS }

    /// Whether this write, or this open with O_TRUNC, takes the set-id bits.
    var killsSetIDs: Bool { (self?.pointee.flags ?? 0) & COFFER_FUSE_KILLS_SET_IDS != 0 }
}
