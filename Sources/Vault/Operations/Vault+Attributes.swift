internal import Format
public import Sealing
internal import Synchronization
public import SystemPackage

extension Vault {
    /// Changes attributes, the length among them.
    ///
    /// - Returns: the attributes after the change.
    /// - Throws: EISDIR and EINVAL for the length of what is no regular file, EFBIG, EROFS, ENOSPC, EIO.
    @discardableResult
    public func setAttributes(of node: Node, _ changes: AttributeChanges) throws(Errno) -> Attributes {
        if isReadOnly { throw .readOnlyFileSystem }
        if let size = changes.size { try truncate(node, to: size) }
        var rest = changes
        rest.size = nil
        guard rest != AttributeChanges() else { return try attributes(of: node) }
        return try committer.withLock { (committer) throws(Errno) in
            var inode = try tree.withLock { (tree) throws(Errno) in try tree.inode(node) }
            inode.apply(rest)
            let changed = inode
            // Nobody finds an erased file again; its attributes change in memory only.
            guard inode.slot != 0, !inode.isErased else {
                tree.withLock { tree in tree.update(node) { $0.takeAttributes(changed) } }
                return changed.attributes
            }
            try commit(committer) { () throws(Errno) in
                try storeAttributes(of: changed, isOwn: true, in: committer)
            } apply: { tree, _ in
                tree.update(node) { $0.takeAttributes(changed) }
            }
            return tree.withLock { $0.inode(at: UInt32(truncatingIfNeeded: node.index)).attributes }
        }
    }

    private func truncate(_ node: Node, to size: UInt64) throws(Errno) {
        guard size <= largestFile.load(ordering: .relaxed) else { throw .fileTooLarge }
        let inode = try tree.withLock { (tree) throws(Errno) in try tree.inode(node) }
        guard inode.isRegular else { throw inode.isDirectory ? .isDirectory : .invalidArgument }
        try openContent(node).withLock { (state) throws(Errno) in
            // Nobody is writing: this truncation is a save of its own.
            if state.openWriters == 0 { state.versionSaved = false }
            resize(&state, to: size)
            if !inode.isErased { try commit(&state) }
        }
    }

    /// fallocate(2): makes a file longer, or zeroes a part of it, whose whole chunks become holes. Space is not set aside;
    /// the store is as large as what is in it.
    ///
    /// - Throws: EOPNOTSUPP for modes that move data, and what ``write(_:offset:_:)`` throws.
    public func allocate(_ node: Node, offset: UInt64, length: UInt64, mode: AllocationMode) throws(Errno) {
        if isReadOnly { throw .readOnlyFileSystem }
        let end = offset.addingReportingOverflow(length)
        guard !end.overflow, end.partialValue <= largestFile.load(ordering: .relaxed) else { throw .fileTooLarge }
        guard length > 0 else { throw .invalidArgument }
        let supported: AllocationMode = [.keepSize, .punchHole, .zeroRange]
        guard mode.isSubset(of: supported) else { throw .notSupported }
        try openContent(node).withLock { (state) throws(Errno) in
            if mode.contains(.punchHole) || mode.contains(.zeroRange) {
                try zero(&state, from: offset, to: min(end.partialValue, state.size))
            }
            if !mode.contains(.keepSize), end.partialValue > state.size {
                resize(&state, to: end.partialValue)
            }
            if state.isDirty { try countHoles(&state) }
            if state.slot != 0, state.dirtyBytes >= Vault.spillLimit { try commit(&state) }
        }
    }

    /// The modes of fallocate(2) that are understood.
    public struct AllocationMode: OptionSet, Sendable {
        public let rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }
        public static let keepSize = AllocationMode(rawValue: 1)
        public static let punchHole = AllocationMode(rawValue: 2)
        public static let zeroRange = AllocationMode(rawValue: 16)
    }

    /// Chunks that are zeroed from end to end become holes; those at both ends are written.
    private func zero(_ state: inout ContentState, from start: UInt64, to end: UInt64) throws(Errno) {
        guard start < end else { return }
        let chunk = UInt64(Limits.chunkSize)
        var zeroes = PlainBuffer(capacity: Limits.chunkSize)
        zeroes.resize(to: Limits.chunkSize)
        var position = start
        while position < end {
            let index = Int(position / chunk)
            let next = min((UInt64(index) + 1) * chunk, end)
            if position % chunk == 0, next % chunk == 0 || next == state.size {
                try punch(&state, index)
            } else {
                try zeroes.withBytes { (bytes) throws(Errno) in
                    try write(&state, offset: position, bytes.extracting(0..<Int(next - position)))
                }
            }
            position = next
        }
    }

    // MARK: Extended attributes

    /// What setxattr(2) may be asked for.
    public enum AttributeFlag: Sendable { case any, create, replace }

    /// The value of an extended attribute.
    ///
    /// - Throws: ENODATA where there is none, EOPNOTSUPP outside of `user.` and `trusted.`.
    public func extendedAttribute(_ name: RawSpan, of node: Node) throws(Errno) -> PlainBuffer {
        let inode = try tree.withLock { (tree) throws(Errno) in try tree.inode(node) }
        try Vault.checkAttributeName(name, reading: true)
        guard inode.hasAttributes, inode.slot != 0 else { throw Errno(rawValue: 61) }
        let wanted = name.array
        let value = try withReader { (reader) throws(Errno) in
            try unsafe reader.file(inode.slot) { (record, _) throws(Errno) in
                record.attributes.first { $0.name == wanted }?.value
            }
        }
        guard let value else { throw Errno(rawValue: 61) }
        var buffer = PlainBuffer(capacity: value.count)
        buffer.append(bytes: value)
        return buffer
    }

    /// The names, each with a NUL behind it, as listxattr(2) gives them.
    public func extendedAttributeNames(of node: Node) throws(Errno) -> PlainBuffer {
        let inode = try tree.withLock { (tree) throws(Errno) in try tree.inode(node) }
        var buffer = PlainBuffer(capacity: 0)
        guard inode.hasAttributes, inode.slot != 0 else { return buffer }
        let names = try withReader { (reader) throws(Errno) in
            try unsafe reader.file(inode.slot) { (record, _) throws(Errno) in record.attributes.map(\.name) }
        }
        for name in names { buffer.append(bytes: name + [0]) }
        return buffer
    }

    /// Sets an extended attribute.
    ///
    /// - Throws: EEXIST, ENODATA (by `flag`), E2BIG, ENOSPC, EOPNOTSUPP, EROFS.
    public func setExtendedAttribute(
        _ name: RawSpan, to value: RawSpan, of node: Node, flag: AttributeFlag
    ) throws(Errno) {
        let key = name.array
        guard value.byteCount <= Limits.extendedAttributes else { throw .argListTooLong }
        let bytes = value.array
        try changeAttributes(name, of: node) { (attributes) throws(Errno) in
            let index = attributes.firstIndex { $0.name == key }
            if flag == .create, index != nil { throw .fileExists }
            if flag == .replace, index == nil { throw Errno(rawValue: 61) }
            if let index {
                attributes[index].value = bytes
            } else {
                attributes.append(ExtendedAttribute(name: key, value: bytes))
            }
            let total = attributes.reduce(0) { $0 + $1.name.count + $1.value.count }
            guard total <= Limits.extendedAttributes else { throw .noSpace }
        }
    }

    /// Removes an extended attribute.
    ///
    /// - Throws: ENODATA where there is none, EROFS.
    public func removeExtendedAttribute(_ name: RawSpan, of node: Node) throws(Errno) {
        let key = name.array
        try changeAttributes(name, of: node) { (attributes) throws(Errno) in
            guard let index = attributes.firstIndex(where: { $0.name == key }) else { throw Errno(rawValue: 61) }
            attributes.remove(at: index)
        }
    }

    private func changeAttributes(
        _ name: RawSpan, of node: Node, _ change: (inout [ExtendedAttribute]) throws(Errno) -> Void
    ) throws(Errno) {
        if isReadOnly { throw .readOnlyFileSystem }
        try Vault.checkAttributeName(name, reading: false)
        try committer.withLock { (committer) throws(Errno) in
            var inode = try tree.withLock { (tree) throws(Errno) in try tree.inode(node) }
            guard inode.slot != 0, !inode.isErased else { throw .notSupported }
            inode.changed = .now()
            let changed = inode
            _ = try commit(committer) { () throws(Errno) in
                var isEmpty = true
                try storeAttributes(of: changed, isOwn: true, in: committer) { (record) throws(Errno) in
                    try change(&record.attributes)
                    isEmpty = record.attributes.isEmpty
                }
                return isEmpty
            } apply: { tree, isEmpty in
                tree.update(node) { inode in
                    inode.changed = changed.changed
                    inode.hasAttributes = !isEmpty
                }
            }
        }
    }

    /// `user.` is for everybody and `trusted.` for root, which the kernel sees to. What other name
    /// spaces mean (capabilities, access lists) we do not enforce, so we do not store it.
    private static func checkAttributeName(_ name: RawSpan, reading: Bool) throws(Errno) {
        let bytes = name.array
        guard bytes.count <= 255 else { throw .outOfRange }
        if bytes.starts(with: Array("user.".utf8)) || bytes.starts(with: Array("trusted.".utf8)) { return }
        throw reading ? Errno(rawValue: 61) : .notSupported
    }
}

extension Inode {
    mutating func apply(_ changes: AttributeChanges) {
        if let mode = changes.mode { self.mode = self.mode & FileType.mask | mode & 0o7777 }
        if let owner = changes.owner { self.owner = owner }
        if let group = changes.group { self.group = group }
        if let accessed = changes.accessed { self.accessed = accessed }
        if let modified = changes.modified { self.modified = modified }
        if changes.clearSetIDs { clearSetIDs() }
        changed = changes.changed ?? .now()
    }

    /// Takes over attributes that were changed, and leaves what is counted.
    mutating func takeAttributes(_ other: Inode) {
        (mode, owner, group) = (other.mode, other.owner, other.group)
        (accessed, modified, changed) = (other.accessed, other.modified, other.changed)
    }
}
