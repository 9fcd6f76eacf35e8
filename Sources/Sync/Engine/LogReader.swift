internal import Format
internal import Sealing

/// One segment of a device's log that was checked: nobody but the device has written it, and it follows the one before.
struct CheckedSegment: Sendable {
    let device: Identifier
    let position: LogPosition
    let record: SegmentRecord
    let path: RemotePath
}

/// Checks what the remote gives for a segment. Nothing is believed that is not signed by a member of the vault.
struct LogReader: Sendable {
    let keys: SyncKeys

    enum Refusal: Error, Equatable {
        /// Not what the name says: half arrived, or changed.
        case damaged
        /// Signed by the device, and not what follows the one before.
        case forked
        /// The device was shut out before it wrote this.
        case revoked
    }

    /// The highest Lamport clock that is believed: a clock that jumps to the end would leave none for others.
    static let lamportLimit: UInt64 = 1 << 56

    /// - Parameter state: what is known of the devices; a first segment may bring its own enrolment.
    func check(
        _ bytes: [UInt8], device: Identifier, sequence: UInt64, hash: Identifier, after previous: LogPosition?,
        _ state: SyncState, rules: ProtocolRules = ProtocolRules()
    ) throws(Refusal) -> CheckedSegment {
        guard Identifier(hashing: bytes) == hash, let object = SignedObject(.segment, bytes),
            object.header == SignedObject.Header(epoch: keys.epoch, device: device.pair, sequence: sequence),
            let plain = object.open(key: keys.segment, vault: keys.vault.pair)
        else { throw .damaged }
        let record: SegmentRecord
        do throws(FormatError) {
            record = try plain.withBytes { (bytes) throws(FormatError) in try SegmentRecord(decoding: bytes) }
        } catch {
            throw .damaged
        }
        guard let signer = state.members[device]?.signingKey ?? enrolled(device, in: record, sequence),
            object.isSigned(by: signer) || !rules.checksSignature
        else { throw .damaged }
        if let last = state.members[device]?.revokedAfter, sequence > last { throw .revoked }
        guard record.previous == previous?.hash ?? .none || !rules.checksChain else { throw .forked }
        let changes = record.changes.map(\.stamp.lamport).max() ?? 0
        let before = previous?.lamport ?? 0
        let keepsClock = record.isContinued ? record.lamport == before : record.lamport >= max(before, changes)
        guard keepsClock, max(record.lamport, changes) < LogReader.lamportLimit else { throw .damaged }
        let position = LogPosition(sequence: sequence, hash: hash, lamport: record.lamport)
        return CheckedSegment(
            device: device, position: position, record: record, path: Layout.segment(device, sequence, hash))
    }

    /// Whether a known device has signed these bytes as its segment of this number.
    func isWritten(
        _ bytes: [UInt8], by device: Identifier, _ sequence: UInt64, _ hash: Identifier, _ state: SyncState
    ) -> Bool {
        guard Identifier(hashing: bytes) == hash, let object = SignedObject(.segment, bytes),
            object.header.device == device.pair, object.header.sequence == sequence,
            let member = state.members[device]
        else { return false }
        return object.isSigned(by: member.signingKey)
    }

    /// The key of a device that its own first segment introduces, vouched for by the admin key.
    private func enrolled(_ device: Identifier, in record: SegmentRecord, _ sequence: UInt64) -> [UInt8]? {
        guard sequence == 1, let admin = Genesis.adminKey(keys.genesis) else { return nil }
        for notice in record.notices where notice.kind == .enrolment {
            if let enrolment = Enrolment(notice.bytes, vault: keys.vault.pair, admin: admin),
                enrolment.device == device.bytes
            {
                return Array(enrolment.deviceKeys.prefix(32))
            }
        }
        return nil
    }
}
