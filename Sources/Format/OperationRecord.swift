/// One change as the other devices will hear of it. It names what changed; the values are those of
/// the rows at the time of the push, so that a burst of saves costs one transfer.
public struct Operation: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// An entry was made, moved or pointed at another file.
        case entry = 1
        /// An entry was removed.
        case removal = 2
        /// A file's attributes changed.
        case attributes = 3
        /// A file's content changed.
        case content = 4
        /// A file is to be told with its content, though that is not new: another device may have lost it.
        case whole = 5
    }

    public var kind: Kind
    /// The entry or the file.
    public var subject: Identifier
    /// An entry's directory after the change, which ordering of moves rests on; none otherwise.
    public var parent: Identifier
    /// The version of the content for ``Kind/content``, 0 otherwise.
    public var version: UInt64

    public init(kind: Kind, subject: Identifier, parent: Identifier = .none, version: UInt64 = 0) {
        self.kind = kind
        self.subject = subject
        self.parent = parent
        self.version = version
    }
}

/// All operations of one transaction: the row of the operation log.
public struct OperationRecord: Equatable, Sendable {
    /// The Lamport clock of the transaction.
    public var lamport: UInt64
    public var operations: [Operation]

    public init(lamport: UInt64, operations: [Operation]) {
        self.lamport = lamport
        self.operations = operations
    }

    /// Appends the record without its padding.
    public func encode(into sink: inout some ByteSink & ~Copyable) {
        sink.append(lamport)
        sink.append(UInt16(truncatingIfNeeded: operations.count))
        for operation in operations {
            sink.append(operation.kind.rawValue)
            sink.append(operation.subject)
            sink.append(operation.parent)
            sink.append(operation.version)
        }
    }

    public init(decoding bytes: RawSpan) throws(FormatError) {
        var cursor = Cursor()
        lamport = try cursor.integer(bytes)
        operations = []
        for _ in 0..<(try cursor.integer(bytes, as: UInt16.self)) {
            guard let kind = Operation.Kind(rawValue: try cursor.integer(bytes)) else {
                throw .invalid(field: "operation")
            }
            operations.append(
                Operation(
                    kind: kind, subject: try cursor.identifier(bytes), parent: try cursor.identifier(bytes),
                    version: try cursor.integer(bytes)))
        }
        try cursor.padding(bytes)
    }
}
