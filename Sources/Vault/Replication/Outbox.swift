internal import Format
internal import Sealing
public import SystemPackage

/// Own segments that are not at the remote yet. They are sealed and signed already; what their rows have for a seal is a
/// digest, so that the integrity sum covers them.
extension ReplicationTransaction {
    /// By their sequence numbers.
    public func outbox() throws(Errno) -> [(sequence: UInt64, bytes: [UInt8])] {
        let statement = committer.rows.outbox
        defer { statement.reset() }
        var segments: [(sequence: UInt64, bytes: [UInt8])] = []
        do throws(DatabaseFailure) {
            while try statement.step() {
                let bytes = unsafe [UInt8](statement.bytes(2))
                guard let seal = unsafe RowReader.seal(statement.bytes(1)), seal == Seal(digestOf: bytes) else {
                    throw DatabaseFailure.corrupt
                }
                segments.append((UInt64(bitPattern: statement.integer(0)), bytes))
            }
        } catch {
            throw error.errno
        }
        return segments
    }

    /// - Throws: EEXIST where there is one with that number, EFBIG above ``Limits/segment``.
    public func addToOutbox(_ sequence: UInt64, _ bytes: [UInt8]) throws(Errno) {
        guard let slot = Int64(exactly: sequence), slot > 0 else { throw .invalidArgument }
        guard bytes.count <= Limits.segment else { throw .fileTooLarge }
        guard try !committer.has(.outbox, slot: slot) else { throw .fileExists }
        try committer.put(.outbox, slot: slot, Seal(digestOf: bytes), body: bytes)
        try committer.pin(ended, for: sequence)
        ended = []
    }

    public func removeFromOutbox(_ sequence: UInt64) throws(Errno) {
        guard let slot = Int64(exactly: sequence), try committer.has(.outbox, slot: slot) else { return }
        try committer.delete(.outbox, slot: slot, seal: try committer.seal(of: .outbox, slot: slot))
        try committer.unpin(sequence)
    }
}

extension Seal {
    /// In the place of a seal for bytes that have no need of one: no nonce, and BLAKE2b-128 as the tag.
    init(digestOf bytes: [UInt8]) {
        self.init(nonce: (0, 0, 0), tag: unsafe Digest.blake2b128(bytes.span.bytes))
    }
}
