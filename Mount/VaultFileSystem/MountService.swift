/// What runs beside a mount and works on the same open vault: synchronisation. This module knows no more of it.
///
/// All of these return soon: what takes long happens on threads of the service's own, and never under a lock of the
/// mount's.
public struct MountService: Sendable {
    /// Called once the mount is usable.
    public var start: @Sendable () -> Void
    /// Called first when the vault is locked, whose keys are wiped once this returns: ends what runs, and does not wait
    /// for a network.
    public var stop: @Sendable () -> Void
    /// What `coffer status` tells of it.
    public var report: @Sendable () -> SyncOverview?
    /// Where the remote is, for kits; empty where there is none.
    public var remote: @Sendable () -> String
    /// Answers what another verb asks through the control file `command`: a secret, which may be empty and is wiped by the
    /// caller, and a request. At most 32 KiB; nothing for what is no request.
    public var answer: @Sendable (_ secret: RawSpan, _ request: RawSpan) -> [UInt8]

    public init(
        start: @escaping @Sendable () -> Void, stop: @escaping @Sendable () -> Void,
        report: @escaping @Sendable () -> SyncOverview?, remote: @escaping @Sendable () -> String,
        answer: @escaping @Sendable (RawSpan, RawSpan) -> [UInt8]
    ) {
        (self.start, self.stop, self.report) = (start, stop, report)
        (self.remote, self.answer) = (remote, answer)
    }
}
