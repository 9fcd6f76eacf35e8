internal import Format

/// What is waited for. That something is on its way is no fault, and is said at the first look: who reads "nothing new"
/// would not look for it.
extension SyncEngine {
    /// Looks what is missing in the logs that were read, though a later segment is there, a hint tells of it, or what
    /// others have signed.
    ///
    /// - Parameter only: the logs that were listed; nil for all.
    func lookForAwaited(_ only: [Identifier]?, _ logs: Logs, _ reading: Reading) {
        let signed = signedClaims
        let known = Set(logs.segments.keys).union(signed.keys).union(hints.keys)
        if only == nil { awaited = [:] }
        for device in (only ?? known.sorted()) where device != own {
            awaited[device] = nil
            let read = lastRead(device, reading)
            let listed = logs.last(of: device)
            let last = max(signed[device] ?? 0, hints[device]?.sequence ?? 0, listed)
            // Names alone say nothing of a device that nobody knows: whoever can write there can make them.
            guard last > read, logs.hashes(device, read + 1).isEmpty, awaited.count < SyncState.namedMost,
                state.members[device] != nil || signed[device] ?? 0 > read,
                state.members[device]?.revokedAfter.map({ read < $0 }) ?? true
            else { continue }
            awaited[device] = AwaitedSegment(
                device: device, sequence: read + 1, last: last, isFollowed: listed > read)
        }
    }

    /// Puts into the report what is still waited for.
    func noteAwaited() {
        awaited = awaited.filter { state.seen[$0.key]?.sequence ?? 0 < $0.value.sequence }
        report.awaited = awaited.values.sorted { $0.device < $1.device }
    }
}
