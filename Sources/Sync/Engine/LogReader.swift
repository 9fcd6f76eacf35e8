internal import Format
internal import Sealing

/// One segment of a device's log that was checked: nobody but the device has written it, and it follows the one before.
struct CheckedSegment: Sendable {
    let device: Identifier
    let position: LogPosition
    let record: SegmentRecord
    let path: RemotePath
    /// Of the account key that it is sealed with.
    let epoch: UInt32
    /// The account key, where keys were lent to read with: it may still be to be learnt of from a segment that counts.
    let key: KeyName?
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
        /// Sealed with an account key that is not known, or not yet.
        case unknownKey
    }

    /// The highest Lamport clock that is believed: a clock that jumps to the end would leave none for others.
    static let lamportLimit: UInt64 = 1 << 56
    /// How far a clock goes beyond all that its writer has seen, at the most: one step for each call that changes something
    /// between two segments, which at 20,000 a second is more than a month. A member that wants to use the clock up has to
    /// write a million segments, each of which the others can see.
    static let lamportSlack: UInt64 = 1 << 36

    /// Whether a writer can have come to a clock.
    ///
    /// - Parameter known: the highest clock that it had seen, its own included.
    static func isReached(_ lamport: UInt64, from known: UInt64) -> Bool {
        lamport < lamportLimit && lamport <= min(known, lamportLimit) + lamportSlack
    }

    /// - Parameters:
    ///   - state: what is known of the devices; a first segment may bring its own enrolment.
    ///   - spare: more keys to open it with.
    ///   - vouched: how far the device's log counts whatever shuts it out.
    func check(
        _ bytes: [UInt8], device: Identifier, sequence: UInt64, hash: Identifier, after previous: LogPosition?,
        _ state: SyncState, spare: KeyRing? = nil, vouched: UInt64, rules: ProtocolRules = ProtocolRules()
    ) throws(Refusal) -> CheckedSegment {
        guard Identifier(hashing: bytes) == hash, let object = SignedObject(.segment, bytes) else { throw .damaged }
        let header = SignedObject.Header(epoch: object.header.epoch, device: device.pair, sequence: sequence)
        guard object.header == header else { throw .damaged }
        guard let opened = object.open(with: state.ring) ?? spare.flatMap(object.open) else {
            throw refusal(of: object, device, state)
        }
        let record: SegmentRecord
        do throws(FormatError) {
            record = try opened.plain.withBytes { (bytes) throws(FormatError) in try SegmentRecord(decoding: bytes) }
        } catch {
            throw .damaged
        }
        guard let signer = state.members[device]?.signingKey ?? enrolled(device, in: record, sequence)?.signingKey,
            object.isSigned(by: signer) || !rules.checksSignature
        else { throw .damaged }
        if sequence > vouched, isShutOut(device, sequence, record, state) { throw .revoked }
        guard record.previous == previous?.hash ?? .none || !rules.checksChain else { throw .forked }
        let changes = record.changes.map(\.stamp.lamport).max() ?? 0
        let before = previous?.lamport ?? 0
        let keepsClock = record.isContinued ? record.lamport == before : record.lamport >= max(before, changes)
        let known = record.seen.positions.values.reduce(before) { max($0, $1.lamport) }
        guard keepsClock, record.seen.positions.count <= SyncState.devicesEver,
            LogReader.isReached(max(record.lamport, changes), from: known)
        else { throw .damaged }
        let position = LogPosition(sequence: sequence, hash: hash, lamport: record.lamport)
        return CheckedSegment(
            device: device, position: position, record: record, path: Layout.segment(device, sequence, hash),
            epoch: header.epoch, key: spare?.name(of: opened.keys.account))
    }

    /// What no key opens may be sealed with one that is still to come, unless it is of the first epoch, which has one key, or
    /// the device did not sign it.
    private func refusal(of object: SignedObject, _ device: Identifier, _ state: SyncState) -> Refusal {
        guard object.header.epoch > 1 else { return .damaged }
        guard let member = state.members[device] else { return .unknownKey }
        return object.isSigned(by: member.signingKey) ? .unknownKey : .damaged
    }

    /// Whether a device was shut out before it wrote a segment; one that introduces itself must know of all rotations that
    /// are known here: an old kit admits nobody.
    private func isShutOut(
        _ device: Identifier, _ sequence: UInt64, _ record: SegmentRecord, _ state: SyncState
    ) -> Bool {
        if let member = state.members[device] { return sequence > member.revokedAfter ?? .max }
        guard let enrolment = enrolled(device, in: record, sequence) else { return false }
        return enrolment.epoch < state.ring.current.epoch || state.ring.hasRotation(unknownTo: record)
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

    /// What a device's own first segment introduces it with, signed by the admin key.
    private func enrolled(_ device: Identifier, in record: SegmentRecord, _ sequence: UInt64) -> Enrolment? {
        guard sequence == 1, let admin = Genesis.adminKey(keys.genesis) else { return nil }
        for notice in record.notices where notice.kind == .enrolment {
            if let enrolment = Enrolment(notice.bytes, vault: keys.vault.pair, admin: admin),
                enrolment.device == device.bytes
            {
                return enrolment
            }
        }
        return nil
    }
}

extension Enrolment {
    fileprivate var signingKey: [UInt8] { Array(deviceKeys.prefix(32)) }
}
