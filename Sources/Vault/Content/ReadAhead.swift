internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// The content of the small file that was opened last, made ready before anybody asks for it: while the program that
/// opened it wakes up from its open(2), the thread that answered has nothing else to do. A first `cat` took 76 µs
/// without this, of which reading and opening the row were 18 (measured).
struct ReadAhead: ~Copyable {
    /// The file's row; 0 for nothing.
    fileprivate var slot: Int64 = 0
    /// ``Vault/contentsOpened`` before the row was read: as long as it is the same, nobody has written anything.
    fileprivate var opened: UInt64 = 0
    fileprivate var bytes = PlainBuffer(capacity: 0)

    mutating func clear() {
        slot = 0
        bytes.resize(to: 0)
    }
}

extension Vault {
    /// A file was just opened for reading, and the answer is on its way: reads a small one that was not read before,
    /// which the kernel does not have. Never waits for another operation, and never fails: reading does.
    public func prepareToRead(_ node: Node) {
        let opened = contentsOpened.load(ordering: .acquiring)
        guard knownContent(node) == nil else { return }
        let inode = tree.withLock { tree in tree.inode(at: UInt32(truncatingIfNeeded: node.index)) }
        guard !inode.wasRead, inode.isRegular, inode.slot != 0, inode.size > 0,
            inode.size <= UInt64(Limits.inlineContent)
        else { return }
        ahead.withLock { ahead in
            ahead.clear()
            do throws(Errno) {
                try readers.withReader { (reader) throws(Errno) in
                    try reader.small(inode, into: &ahead.bytes)
                }
            } catch {
                return
            }
            (ahead.slot, ahead.opened) = (inode.slot, opened)
        }
    }

    /// Takes what was made ready for the file; false where that is another one's, or may be old.
    func takeAhead(_ inode: Inode, into target: inout PlainBuffer) -> Bool {
        ahead.withLock { ahead in
            guard ahead.slot == inode.slot, inode.slot != 0 else { return false }
            let isCurrent = ahead.opened == contentsOpened.load(ordering: .acquiring)
            if isCurrent { swap(&target, &ahead.bytes) }
            ahead.clear()
            return isCurrent
        }
    }

    /// What was made ready and not asked for goes with the file's last descriptor.
    func dropAhead(_ inode: Inode) {
        ahead.withLock { ahead in
            if ahead.slot == inode.slot { ahead.clear() }
        }
    }
}

extension Reader {
    /// The content of a small file that nobody has changed.
    func small(_ inode: Inode, into target: inout PlainBuffer) throws(Errno) {
        try unsafe file(inode.slot) { (record, sealed) throws(Errno) in
            guard record.content.kind == .inline else {
                target.resize(to: Int(min(record.content.size, UInt64(Limits.inlineContent))))
                return
            }
            try unsafe openContent(sealed, record.content, into: &target)
            target.resize(to: min(target.count, Int(record.content.size)))
        }
    }
}
