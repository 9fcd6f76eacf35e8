internal import CSodium

extension KDFParameters {
    /// How long deriving the key at unlock is to take: not much for people, and millions of times that for who guesses.
    static let unlockTime: Duration = .milliseconds(500)

    /// For unlocking on this machine: one derivation at the default cost is measured, and passes are added until it
    /// takes about half a second. Never below the default, but for the memory of a machine that has less than four
    /// times as much.
    public static func calibrated(physicalMemoryMiB: UInt64) -> KDFParameters {
        let quarter = UInt32(clamping: physicalMemoryMiB / 4)
        var parameters = unlockDefault
        parameters.memoryMiB = max(floor.memoryMiB, min(parameters.memoryMiB, quarter))
        guard let time = parameters.measured() else { return parameters }
        parameters.passes = parameters.passes(for: unlockTime, measured: time)
        return parameters
    }

    /// For a kit of a vault that unlocks with `unlock`. A kit travels, so guessing it is made dearer: four times the
    /// memory and one more pass. Of the memory no more than a quarter of the machine's is taken, unless unlock takes
    /// more; what is missing there is made up for by passes.
    public static func kit(for unlock: KDFParameters, physicalMemoryMiB: UInt64) -> KDFParameters {
        unlock.raised(memory: 4, passes: 1, atMostMiB: physicalMemoryMiB / 4)
    }

    /// For a kit that is sent by mail, of which copies stay with others: twice the memory of another kit and one more
    /// pass. It may take half of the machine's memory, the most that a machine of the same size opens.
    public static func mailedKit(for unlock: KDFParameters, physicalMemoryMiB: UInt64) -> KDFParameters {
        unlock.raised(memory: 8, passes: 2, atMostMiB: physicalMemoryMiB / 2)
    }

    private func raised(memory factor: UInt32, passes more: UInt32, atMostMiB limit: UInt64) -> KDFParameters {
        let cap = KDFParameters.cap
        let wanted = min(cap.memoryMiB, min(cap.memoryMiB, memoryMiB) * factor)
        let memory = max(memoryMiB, min(wanted, UInt32(clamping: limit)))
        let needed = (UInt64(passes + more) * UInt64(wanted) + UInt64(memory) - 1) / UInt64(memory)
        return KDFParameters(passes: min(cap.passes, UInt32(clamping: needed)), memoryMiB: memory)
    }

    /// How many passes fit into `time` where these parameters took `measured`; each pass takes as long as the others.
    func passes(for time: Duration, measured: Duration) -> UInt32 {
        guard measured > .zero else { return passes }
        let fitting = Double(passes) * (time / measured)
        return UInt32(min(Double(KDFParameters.cap.passes), max(Double(passes), fitting.rounded(.down))))
    }

    /// How long one derivation takes; nil where the memory for it is not there.
    private func measured() -> Duration? {
        Sodium.prepare()
        var derived = SecretBytes(count: 32)
        let salt = [UInt8](repeating: 0, count: 16)
        var failed: Int32 = 0
        let time = ContinuousClock().measure {
            failed = unsafe derived.withMutablePointer { derived in
                unsafe crypto_pwhash(
                    derived, 32, "measured", 8, salt, UInt64(passes), Int(memoryMiB) << 20,
                    crypto_pwhash_ALG_ARGON2ID13)
            }
        }
        return failed == 0 ? time : nil
    }
}
