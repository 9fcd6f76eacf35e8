internal import Format

/// Going on where a device's log is at fault: that log is set aside and named, everything else goes on, and a device can always
/// be shut out. What its own log has two histories of stops this device, as it must.
extension SyncEngine {
    /// Does something with what a device has written.
    ///
    /// - Throws: anything but a fork, which sets the log aside.
    func settingLogAside(
        of device: Identifier, _ body: () async throws(SyncError) -> Void
    ) async throws(SyncError) {
        do throws(SyncError) { try await body() } catch {
            guard case .forked(let alarm) = error, device != own else { throw error }
            // From a device that is shut out nothing more is expected.
            if state.members[device]?.revokedAfter != nil { standing.hold(device, shutOutAt: alarm.sequence) }
            faults[device] = faults[device] ?? alarm
        }
    }

    /// Whether a snapshot's writer has seen the same history.
    func agrees(_ found: FoundSnapshot) async throws(SyncError) -> Bool {
        var agrees = false
        try await settingLogAside(of: found.name.device) { () async throws(SyncError) in
            try compare(found.manifest.seen, found.path)
            agrees = true
        }
        return agrees
    }

    /// What a run ends with that has set logs aside: once the rest is done.
    func alarmOfFaults() async throws(SyncError) -> SyncError? {
        let named = faults.filter { state.members[$0.key]?.revokedAfter == nil }.sorted { $0.key < $1.key }
        guard let (_, alarm) = named.first else { return nil }
        let error = SyncError.forked(alarm)
        await noteAlarm(error)
        return error
    }

    /// Whether somebody says that he has read more of this device's log than it knows of, and nothing that it has signed is
    /// there to show for it: whoever could stop a device by saying so would stop all of them. (Where something is there, or
    /// has been, this database has been copied or set back: ``SyncError/cloned``.)
    func isInvented(_ claim: LogPosition) async throws(SyncError) -> Bool {
        guard claim.sequence > state.seen[own]?.sequence ?? 0 else { return false }
        if try await isWritten(own, claim.sequence, claim.hash) { return false }
        for snapshot in try await manifests(isAnnounced: false)
        where snapshot.manifest.seen[own]?.sequence ?? 0 >= claim.sequence { return false }
        return true
    }
}
