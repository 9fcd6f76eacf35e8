public import Format
public import Sealing
internal import Synchronization
public import SystemPackage

/// Registers of this device that no other one has heard of, although they are in segments.
public struct UnheardRegisters: Sendable {
    /// The device's clock up to which others have heard of what it changed.
    public var heard: UInt64 = 0
    /// Entries whose placement is.
    public var entries: [Identifier] = []
    /// Entries whose removal is.
    public var removals: [Identifier] = []
    /// Lineages whose attributes or content are.
    public var lineages: [Identifier] = []

    /// None.
    public init() {}
}

/// Going on as another device: another copy of this vault goes on under the name that this one had.
extension ReplicationTransaction {
    /// From now on this is `device`: what it has changed and nobody has heard of gets stamps of the new device, and comes
    /// into its segments. Before any other change of the transaction.
    ///
    /// - Parameters:
    ///   - keys: the new device's own.
    ///   - unpublished: what is in segments that nobody has.
    public func becomeDevice(
        _ device: Identifier, keys: borrowing DeviceKeys, reissuing unpublished: UnheardRegisters
    ) throws(Errno) {
        guard overlay.steps.isEmpty, device != .none, device != committer.root.device else { throw .invalidArgument }
        let found = try unheard(with: unpublished)
        let old = committer.root.device
        try writeHeader(device, keys)
        (committer.root.device, committer.root.isIncomplete, committer.scan) = (device, true, nil)
        var renewed: [Stamp: Stamp] = [:]
        let isUnheard = { (stamp: Stamp) in stamp.device == old && stamp.lamport > found.heard }
        for lineage in found.lineages { try renew(lineage, where: isUnheard, &renewed) }
        for entry in found.entries { try renewPlacement(entry, where: isUnheard) }
        for entry in found.removals { try renewRemovals(entry, where: isUnheard, renewed) }
        for (lineage, known) in committer.sync.rivals.values where known.stamps.contains(where: { renewed[$0] != nil })
        {
            try committer.setRivals(known.stamps.map { renewed[$0] ?? $0 }, of: lineage)
        }
    }

    /// What was given, and what is in no segment.
    private func unheard(with given: UnheardRegisters) throws(Errno) -> UnheardRegisters {
        try committer.appendOperations()
        committer.operations.removeAll()
        var all = given
        for (_, subject) in try OwnScan(vault, committer).subjects {
            switch subject.kind {
            case .entry: all.entries.append(subject.identifier)
            case .removal: all.removals.append(subject.identifier)
            case .file, .whole:
                if let lineage = lineage(ofFile: subject.identifier) { all.lineages.append(lineage) }
            }
        }
        for path in [\UnheardRegisters.entries, \.removals, \.lineages] {
            all[keyPath: path] = Set(all[keyPath: path]).sorted()
        }
        return all
    }

    /// The lineage that a file has now.
    func lineage(ofFile identifier: Identifier) -> Identifier? {
        if let known = overlay.lineages[identifier] { return known }
        let shown = vault.tree.withLock { tree -> Identifier? in
            guard let node = tree.node(of: identifier) else { return nil }
            let lineage = tree.lineage(of: node)
            return tree.node(ofLineage: lineage) == node ? lineage : nil
        }
        return shown ?? vault.trash.withLock { $0.item(file: identifier)?.lineage }
    }

    private func writeHeader(_ device: Identifier, _ keys: borrowing DeviceKeys) throws(Errno) {
        do throws(DatabaseFailure) {
            var header = try Header.read(committer.connection)
            header[Header.device] = vault.keys.sealed(keys, of: device)
            try Header.write(Header.device, header[Header.device], in: committer.connection)
            committer.root.header = header.digest
        } catch {
            throw error.errno
        }
    }

    private func renew(
        _ lineage: Identifier, where isUnheard: (Stamp) -> Bool, _ renewed: inout [Stamp: Stamp]
    ) throws(Errno) {
        guard let file = try file(of: lineage) else { return }
        var (record, seal) = try committer.loadFile(file.slot)
        if isUnheard(record.stamp) { record.stamp = nextStamp() }
        if let head = record.heads.first(where: isUnheard) {
            let stamp = nextStamp()
            renewed[head] = stamp
            record.heads = ([stamp] + record.heads.filter { $0 != head }).sorted(by: >)
        }
        record.replaced = record.replaced.map { renewed[$0] ?? $0 }
        unsafe try committer.putFile(record, slot: file.slot, previous: seal, content: .keep)
    }

    private func renewPlacement(_ entry: Identifier, where isUnheard: (Stamp) -> Bool) throws(Errno) {
        if let placed = placed(entry), placed.slot != 0, leaves(entry) {
            var (record, seal) = try committer.loadEntry(placed.slot)
            if isUnheard(record.stamp) { record.stamp = nextStamp() }
            try committer.putEntry(record, slot: placed.slot, previous: seal)
        } else if var register = try committer.keptRegister(of: entry), isUnheard(register.placement.stamp) {
            register.placement.stamp = nextStamp()
            try committer.keepRegister(register)
        }
    }

    private func renewRemovals(
        _ entry: Identifier, where isUnheard: (Stamp) -> Bool, _ renewed: [Stamp: Stamp]
    ) throws(Errno) {
        guard var register = try committer.keptRegister(of: entry) else { return }
        for place in register.removals.indices {
            if isUnheard(register.removals[place].stamp) { register.removals[place].stamp = nextStamp() }
            register.removals[place].saw = register.removals[place].saw.map { renewed[$0] ?? $0 }
        }
        try committer.keepRegister(register)
    }
}
