/// The integrity root: one row that every transaction rewrites. It says which rows there are, so
/// that a deleted, duplicated, swapped or older row is found.
public struct RootRecord: Equatable, Sendable {
    /// Counts the transactions; compared with the copy beside the vault to find an older file.
    public var counter: UInt64
    /// The sum of the hashes of all rows (64 bytes, a little-endian number).
    public var sum: [UInt8]
    /// How many rows were summed.
    public var rows: UInt64
    /// The inode number for the next file.
    public var nextInode: UInt64
    /// The Lamport clock of this device.
    public var lamport: UInt64
    /// The number of the newest operation row; 0 before the first.
    public var lastOperation: Int64
    /// Operations up to this one have been dropped: a push starts from the state itself.
    public var droppedOperations: Int64
    /// This device.
    public var device: Identifier
    /// BLAKE2b-256 over the header rows in the order of their names (32 bytes): an older wrap or canary is found.
    public var header: [UInt8]
    /// The Lamport clock up to which what this device has changed is in segments.
    public var segmented: UInt64
    /// Entries that were made up to this clock may have been heard of: some come into a segment before their time,
    /// because of what belongs to them.
    public var heard: UInt64
    /// The vault has been given to synchronisation once: removals leave a register, operations wait for a segment.
    public var isReplicated: Bool
    /// Not every change since ``segmented`` is among the operations: segments are made from all rows.
    public var isIncomplete: Bool

    public init(device: Identifier, header: [UInt8]) {
        counter = 0
        sum = [UInt8](repeating: 0, count: 64)
        rows = 0
        nextInode = 2
        lamport = 0
        lastOperation = 0
        droppedOperations = 0
        self.device = device
        self.header = header
        (segmented, heard) = (0, 0)
        (isReplicated, isIncomplete) = (false, false)
    }

    /// Appends the record without its padding.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(counter)
        sink.append(bytes: sum)
        sink.append(rows)
        sink.append(nextInode)
        sink.append(lamport)
        sink.append(lastOperation)
        sink.append(droppedOperations)
        sink.append(device)
        sink.append(bytes: header)
        sink.append(segmented)
        sink.append(heard)
        sink.append(UInt8((isReplicated ? 1 : 0) | (isIncomplete ? 2 : 0)))
    }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        counter = try cursor.integer(bytes)
        sum = try cursor.array(bytes, count: 64)
        rows = try cursor.integer(bytes)
        nextInode = try cursor.integer(bytes)
        lamport = try cursor.integer(bytes)
        lastOperation = try cursor.integer(bytes)
        droppedOperations = try cursor.integer(bytes)
        device = try cursor.identifier(bytes)
        header = try cursor.array(bytes, count: 32)
        segmented = try cursor.integer(bytes)
        heard = try cursor.integer(bytes)
        let flags: UInt8 = try cursor.integer(bytes)
        (isReplicated, isIncomplete) = (flags & 1 != 0, flags & 2 != 0)
        try cursor.padding(bytes)
    }
}
