/// The cost of deriving a key from a password with Argon2id, version 1.3 (RFC 9106); one lane.
public struct KDFParameters: Hashable, Sendable {
    public var passes: UInt32
    public var memoryMiB: UInt32

    public init(passes: UInt32, memoryMiB: UInt32) {
        self.passes = passes
        self.memoryMiB = memoryMiB
    }

    /// Nothing cheaper is taken: a stored file could ask for a cost that makes guessing easy.
    public static let floor = KDFParameters(passes: 3, memoryMiB: 64)
    /// Nothing dearer is taken: a stored file could ask for more than the machine has.
    public static let cap = KDFParameters(passes: 10, memoryMiB: 4096)
    /// For unlocking: about half a second.
    public static let unlockDefault = KDFParameters(passes: 3, memoryMiB: 256)
    /// For kits, which travel: several seconds.
    public static let kitDefault = KDFParameters(passes: 4, memoryMiB: 1024)

    /// Checks the bounds, and that it is no more than half of the machine's memory, before anything is
    /// allocated.
    public func validate(physicalMemoryMiB: UInt64) throws(KDFError) {
        let passesFit = (KDFParameters.floor.passes...KDFParameters.cap.passes).contains(passes)
        let memoryFits = (KDFParameters.floor.memoryMiB...KDFParameters.cap.memoryMiB).contains(memoryMiB)
        guard passesFit, memoryFits, UInt64(memoryMiB) <= max(64, physicalMemoryMiB / 2) else {
            throw .outOfBounds(self)
        }
    }
}

/// Why parameters are not taken.
public enum KDFError: Error, Equatable {
    case outOfBounds(KDFParameters)
}
