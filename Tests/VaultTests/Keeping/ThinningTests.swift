import Testing

@testable import Vault

/// Which versions go where there are too many of one entry.
@Suite struct ThinningTests {
    private static let day: Int64 = 86400

    /// Thins as a year of saves goes by: too many are thinned to 48, again and again.
    private func kept(every seconds: Int64, for span: Int64) -> [Int64] {
        var times: [Int64] = []
        for now in stride(from: Int64(0), to: span, by: Int64.Stride(seconds)) {
            times.insert(now, at: 0)
            guard times.count > 64 else { continue }
            let gone = Thinning.excess(times, now: now, keeping: 48) { _ in true }
            times = times.enumerated().filter { !gone.contains($0.offset) }.map(\.element)
        }
        return times
    }

    /// Saved each two hours for a year: there is one of the last day, week, month and quarter.
    @Test func everyAgeIsKept() {
        let span = 365 * Self.day
        let ages = kept(every: 7200, for: span).map { span - $0 }
        for (least, most) in [(0, 1), (1, 7), (7, 30), (30, 90), (90, 365)] {
            #expect(ages.contains { Int64(least) * Self.day <= $0 && $0 <= Int64(most) * Self.day }, "\(least)…\(most)")
        }
        #expect(ages.last == span, "the first of all is there")
    }

    /// Gaps grow with the age: no version is farther from the next than twice as far as it is old.
    @Test(arguments: [60, 600, 7200] as [Int64]) func gapsGrowWithAge(every seconds: Int64) {
        let span = 4000 * seconds
        let times = kept(every: seconds, for: span)
        for (newer, older) in zip(times, times.dropFirst()) {
            #expect(
                newer - older <= max(2 * seconds, (span - newer) / 2 + 2 * seconds), "\(span - newer): \(newer - older)"
            )
        }
    }

    @Test(arguments: 1...200) func whatMayNotGoStays(_ seed: UInt64) {
        var random = Randomness(seed: seed)
        let count = 2 + Int(random.next() % 90)
        // Also times that do not fall, as of a clock that was set back.
        let times = (0..<count).map { _ in Int64(random.next() % 10_000) }
        let fixed = Set((0..<count).filter { _ in random.next() % 3 == 0 })
        let wanted = Int(random.next() % UInt64(count + 1))
        let gone = Thinning.excess(times, now: 10_000, keeping: wanted) { !fixed.contains($0) }
        #expect(gone.isDisjoint(with: fixed) && !gone.contains(0))
        let mayGo = (1..<count).count { !fixed.contains($0) }
        #expect(gone.count == min(mayGo, max(0, count - max(1, wanted))))
    }
}
