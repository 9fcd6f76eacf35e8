internal import Format
internal import Sealing

/// Telling the others what was read, where there is nothing to write. A *receipt* is one small object of each device,
/// written over at each time, signed, and sealed: without it nobody could tell a device that reads from one that was lost.
///
/// Nothing rests on receipts but what `devices` shows: an old one that somebody puts back says less than the new one did,
/// and one that is kept back makes its device look behind.
extension SyncEngine {
    /// Something was read here that neither the own log nor the own receipt tells.
    public var owesReceipt: Bool {
        guard let member = state.members[own], member.revokedAfter == nil else { return false }
        let said = state.readBy[own] ?? [:]
        return state.seen.positions.contains { $0.key != own && $0.value.sequence > said[$0.key] ?? 0 }
    }

    /// Says what was read, where that is owed.
    public func acknowledge() async throws(SyncError) {
        try begin()
        guard state.alarm == nil else { return }
        try await writeReceipt()
    }

    func writeReceipt() async throws(SyncError) {
        guard owesReceipt else { return }
        var seen = state.seen
        seen[own] = nil
        try await replace(RemoteObject(path: Layout.receipt(own), bytes: receipt(seen, state.ring.current)))
        let said = seen.sequences
        try changeState { $0.readBy[own] = said }
    }

    private nonisolated func receipt(_ seen: VersionVector, _ link: KeyRing.Link) -> [UInt8] {
        var plain = PlainBuffer(capacity: 1024)
        ReceiptRecord(seen: seen).encode(into: &plain)
        plain.resize(to: Padding.padme(plain.count, floor: Limits.recordFloor))
        let header = SignedObject.Header(epoch: link.epoch, device: own.pair, sequence: 0)
        return plain.withBytes { plain in
            SignedObject.make(
                .receipt, header, plain, key: link.keys.segment, vault: keys.vault.pair, signer: keys.signer)
        }
    }

    /// Takes the receipts of a listing of the hints' folder; those whose tag is the same as before are not read again.
    func takeReceipts(_ items: [RemoteItem]) async throws(SyncError) {
        var unread: [(device: Identifier, tag: String?)] = []
        for item in items where !item.isFolder {
            guard let device = Layout.receiptDevice(item.name), device != own, let member = state.members[device],
                member.revokedAfter == nil, item.tag == nil || receiptTags[device] != item.tag
            else { continue }
            unread.append((device, item.tag))
        }
        guard !unread.isEmpty else { return }
        let found = try await read(unread.map { Layout.receipt($0.device) }, limit: Limits.receipt)
        var readBy = state.readBy
        for (index, (device, tag)) in unread.enumerated() where index < found.count {
            guard case .bytes(let bytes) = found[index], let seen = open(receipt: bytes, of: device) else { continue }
            receiptTags[device] = tag
            for (other, position) in seen.positions where other != device {
                // Another history is none that was read here.
                if let ours = state.seen[other], ours.sequence == position.sequence, ours.hash != position.hash {
                    continue
                }
                readBy[device, default: [:]][other] = max(readBy[device]?[other] ?? 0, position.sequence)
            }
        }
        let next = readBy
        try changeState { $0.readBy = next }
    }

    /// nil unless the device has signed it.
    private func open(receipt bytes: [UInt8], of device: Identifier) -> VersionVector? {
        guard let member = state.members[device], let object = SignedObject(.receipt, bytes),
            object.header == SignedObject.Header(epoch: object.header.epoch, device: device.pair, sequence: 0),
            object.isSigned(by: member.signingKey), let opened = object.open(with: state.ring)
        else { return nil }
        return try? opened.plain.withBytes { (bytes) throws(FormatError) in try ReceiptRecord(decoding: bytes).seen }
    }
}

extension VersionVector {
    var sequences: [Identifier: UInt64] { positions.mapValues(\.sequence) }
}
