/// The rules that keep the invariants. All of them hold.
///
/// A program that people run has no way to turn one off, neither for a test nor for whoever gets it to run their code:
/// there they can be read and not set. A debug build, which the tests are made of, can: the simulation takes one away at
/// a time and must find what then goes wrong.
public struct ProtocolRules: Sendable {
    /// Own changes are put into a segment before anything of others is applied: what they had seen is then exact.
    @Rule public var buildsBeforeApplying: Bool
    /// No segment is applied before all that its writer had seen.
    @Rule public var waitsForCauses: Bool
    /// An own log at the remote that goes further than this database stops it.
    @Rule public var checksOwnLog: Bool
    /// Each segment names the hash of the one before.
    @Rule public var checksChain: Bool
    /// A log that ends before what was read of it is an alarm.
    @Rule public var checksRollback: Bool
    /// What another device says that it read is compared with what was read here.
    @Rule public var comparesSeen: Bool
    /// A segment is kept until it is at the remote, and goes there byte for byte.
    @Rule public var keepsOutbox: Bool
    /// Signatures and seals decide, not names.
    @Rule public var checksSignature: Bool
    /// Own segments are removed only once every device can start from a snapshot that covers them.
    @Rule public var waitsForAcknowledgement: Bool
    /// What a snapshot shows is compared with what is shown here.
    @Rule public var comparesSnapshots: Bool
    /// A change that the replica refuses waits by itself; else it stops the run.
    @Rule public var setsAside: Bool

    public init() {}
}

/// Holds. Only a debug build can say otherwise.
@propertyWrapper
public struct Rule: Sendable {
    #if DEBUG
        public var wrappedValue = true
    #else
        public var wrappedValue: Bool { true }
    #endif

    public init() {}
}
