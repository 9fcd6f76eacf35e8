import Glibc

/// Nanoseconds on the monotonic clock.
func now() -> UInt64 {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// How long `body` took, in nanoseconds.
func timed(_ body: () throws -> Void) rethrows -> UInt64 {
    let start = now()
    try body()
    return now() - start
}

/// Durations of one operation on one system.
struct Samples: Sendable {
    private(set) var nanoseconds: [UInt64] = []

    mutating func append(_ new: [UInt64]) { nanoseconds += new }

    /// The value below which the given part of the samples lies, in microseconds; nil without samples.
    func percentile(_ part: Double) -> Double? {
        guard !nanoseconds.isEmpty else { return nil }
        let sorted = nanoseconds.sorted()
        let index = min(sorted.count - 1, Int((part * Double(sorted.count)).rounded(.down)))
        return Double(sorted[index]) / 1000
    }
}

/// One line of a table: what each system took.
struct Result {
    let name: String
    let samples: [Samples]
}
