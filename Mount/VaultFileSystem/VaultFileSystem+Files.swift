internal import Fuse
internal import Glibc
internal import SystemPackage
internal import Vault

/// Open files and directories.
extension VaultFileSystem {
    func open(_ node: NodeID, flags: Int32) throws(Errno) -> OpenReply {
        if Controls.contains(node) { return try controls.open(node) }
        let isWriting = flags & O_ACCMODE != O_RDONLY
        try pass { () throws(Errno) in
            try vault.opened(Node(node), writing: isWriting, truncate: flags & O_TRUNC != 0)
        }
        return reply(flags)
    }

    func didOpen(_ node: NodeID, handle: Handle) {
        guard handle.rawValue & VaultFileSystem.writing == 0, !Controls.contains(node), gate.enter() else { return }
        defer { gate.leave() }
        vault.prepareToRead(Node(node))
    }

    func create(
        _ name: RawSpan, in parent: NodeID, mode: UInt32, flags: Int32, by caller: Caller
    ) throws(Errno) -> (Entry, OpenReply) {
        try controls.refuse(name, in: parent)
        let isWriting = flags & O_ACCMODE != O_RDONLY
        return try pass { () throws(Errno) in
            let made = try vault.makeNode(
                name, in: Node(parent), mode: FileType.regular | masked(mode) & 0o7777,
                owner: (caller.user, caller.group), device: 0, remember: true)
            do throws(Errno) {
                try vault.opened(made.0, writing: isWriting, truncate: false)
            } catch {
                vault.forget(made.0, count: 1)
                throw error
            }
            return (entry(made), reply(flags))
        }
    }

    private func reply(_ flags: Int32) -> OpenReply {
        let isWriting = flags & O_ACCMODE != O_RDONLY
        var reply = OpenReply(handle: Handle(isWriting ? VaultFileSystem.writing : 0))
        // We are the only writer: what the kernel has of a file is what is in it.
        reply.keepsCache = !usesNoCache
        reply.isDirect = usesNoCache
        reply.writesDirectly = flags & O_ACCMODE == O_WRONLY
        reply.needsNoFlush = !isWriting
        return reply
    }

    func read(
        _ node: NodeID, handle: Handle, offset: UInt64, count: Int, _ body: (RawSpan) -> Void
    ) throws(Errno) {
        if Controls.contains(node) {
            return try controls.read(node, handle: handle, offset: offset, count: count, body)
        }
        try pass { () throws(Errno) in try vault.read(Node(node), offset: offset, count: count, body) }
    }

    func didRead(_ node: NodeID, handle: Handle, offset: UInt64, count: Int) {
        guard !Controls.contains(node), gate.enter() else { return }
        defer { gate.leave() }
        vault.prepareToRead(Node(node), after: offset, count: count)
    }

    func write(_ node: NodeID, handle: Handle, offset: UInt64, _ bytes: RawSpan) throws(Errno) -> Int {
        if Controls.contains(node) { return try controls.write(node, handle: handle, offset: offset, bytes) }
        try pass { () throws(Errno) in try vault.write(Node(node), offset: offset, bytes) }
        return bytes.byteCount
    }

    func flush(_ node: NodeID, handle: Handle) throws(Errno) {
        guard handle.rawValue & VaultFileSystem.writing != 0, !Controls.contains(node) else { return }
        try pass { () throws(Errno) in try vault.flush(Node(node)) }
    }

    func release(_ node: NodeID, handle: Handle) {
        if Controls.contains(node) { return controls.release(handle) }
        // Locking commits by itself; after it there is nothing to let go of.
        guard gate.enter() else { return }
        defer { gate.leave() }
        vault.closed(Node(node), writing: handle.rawValue & VaultFileSystem.writing != 0)
    }

    func synchronize(_ node: NodeID, handle: Handle, dataOnly: Bool) throws(Errno) {
        guard !Controls.contains(node) else { return }
        try pass { () throws(Errno) in try vault.synchronize(Node(node)) }
    }

    func allocate(
        _ node: NodeID, handle: Handle, offset: UInt64, length: UInt64, mode: Int32
    ) throws(Errno) {
        guard !Controls.contains(node) else { throw .notSupported }
        try pass { () throws(Errno) in
            try vault.allocate(
                Node(node), offset: offset, length: length, mode: Vault.AllocationMode(rawValue: mode))
        }
    }

    func copyRange(
        from source: (node: NodeID, handle: Handle, offset: UInt64),
        to target: (node: NodeID, handle: Handle, offset: UInt64), count: Int
    ) throws(Errno) -> Int {
        guard !Controls.contains(source.node), !Controls.contains(target.node) else { throw .notSupported }
        return try pass { () throws(Errno) in
            var done = 0
            while done < count {
                var copied = 0
                var failure: Errno?
                let part = min(count - done, 1 << 20)
                try vault.read(Node(source.node), offset: source.offset &+ UInt64(done), count: part) { bytes in
                    do throws(Errno) {
                        try vault.write(Node(target.node), offset: target.offset &+ UInt64(done), bytes)
                        copied = bytes.byteCount
                    } catch {
                        failure = error
                    }
                }
                if let failure { throw failure }
                if copied == 0 { break }
                done += copied
            }
            return done
        }
    }

    func seek(_ node: NodeID, handle: Handle, offset: UInt64, whence: Int32) throws(Errno) -> UInt64 {
        guard !Controls.contains(node) else { throw .invalidArgument }
        let seekHole: Int32 = 4
        return try pass { () throws(Errno) in
            try vault.seek(Node(node), from: offset, toHole: whence == seekHole)
        }
    }

    // MARK: Directories

    func openDirectory(_ node: NodeID) throws(Errno) -> OpenReply {
        var reply = OpenReply(handle: Handle(0))
        guard !Controls.contains(node) else { return reply }
        let mode = try pass { () throws(Errno) in try vault.attributes(of: Node(node)).mode }
        guard mode & FileType.mask == FileType.directory else { throw .notDirectory }
        reply.cachesDirectory = !usesNoCache
        reply.keepsCache = !usesNoCache
        return reply
    }

    func readDirectory(
        _ node: NodeID, handle: Handle, offset: UInt64, into filler: DirectoryFiller
    ) throws(Errno) {
        if Controls.contains(node) { return controls.list(offset: offset, into: filler) }
        try pass { () throws(Errno) in
            var place = ListingPosition(offset: offset)
            if offset == 0 { place = try vault.beginningOfListing(Node(node)) }
            guard try addDots(node, behind: &place, into: filler) else { return }
            let isPlus = filler.isPlus
            try vault.readDirectory(Node(node), after: place.offset, remember: isPlus) {
                name, child, attributes, generation, offset in
                // One that stood there would be in the kernel's cache, and get what is meant for the control files.
                guard !Controls.isDirectoryName(name, node) else { return true }
                let entry = Entry(
                    node: NodeID(child.rawValue), generation: generation, attributes: FileStatus(attributes),
                    timeout: Timeouts.entries)
                return filler.add(name, entry, offset: offset)
            }
        }
    }

    /// `.` and `..` stand at the cookies 1 and 2. Their nodes count no reference (fuse_lowlevel.h,
    /// readdirplus), which node 0 says.
    private func addDots(
        _ node: NodeID, behind place: inout ListingPosition, into filler: DirectoryFiller
    ) throws(Errno) -> Bool {
        let names: [(StaticString, Node)] = [(".", Node(node)), ("..", vault.parent(of: Node(node)))]
        for (index, (name, target)) in names.enumerated() where place.cookie <= UInt64(index) {
            let attributes = try vault.attributes(of: target)
            let entry = Entry(node: NodeID(0), generation: 0, attributes: FileStatus(attributes), timeout: 0)
            let bytes = Array("\(name)".utf8)
            place.cookie = UInt64(index + 1)
            guard unsafe filler.add(bytes.span.bytes, entry, offset: place.offset) else { return false }
        }
        return true
    }

    func releaseDirectory(_ node: NodeID, handle: Handle) {}

    func synchronizeDirectory(_ node: NodeID, handle: Handle) throws(Errno) {
        guard !Controls.contains(node) else { return }
        try pass { () throws(Errno) in try vault.synchronizeNames() }
    }
}
