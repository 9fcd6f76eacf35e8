import Foundation
import TestSupport
import Testing

/// The disk under the vault fails: programs are told, nothing that was saved is lost, and once the disk is well again
/// the vault opens undamaged.
///
/// `COFFER_FAULT_SEED` repeats the random ones.
@Suite struct FaultTests {
    private static let firstSeed =
        ProcessInfo.processInfo.environment["COFFER_FAULT_SEED"].flatMap { UInt64($0) }
        ?? UInt64.random(in: 0...UInt64(UInt32.max))

    /// Runs every schedule on one vault.
    private func run(_ schedules: (FaultRun) throws -> [FaultSchedule]) throws {
        try TestVault.with { vault in
            let run = try FaultRun(vault)
            var (count, failed) = (0, 0)
            for schedule in try schedules(run) {
                let (hasFailed, complaints) = try run.run(schedule)
                for complaint in complaints { Issue.record("\(schedule): \(complaint)") }
                (count, failed) = (count + 1, failed + (hasFailed ? 1 : 0))
            }
            print("fault test: \(count) schedules, a call failed in \(failed)")
            #expect(failed * 2 > count, "most faults are met")
        }
    }

    /// Each of the first calls of each kind fails, once.
    @Test(arguments: [FaultSchedule.Phase.opening, .working]) func oneCall(_ phase: FaultSchedule.Phase) throws {
        let most = Program.long ? 200 : phase == .opening ? 3 : 7
        try run { run in
            try run.counts(phase).flatMap { file, call, count in
                Self.places(count, most).map { number in
                    Self.schedule(phase, [file], [call], number...number, variant: number)
                }
            }
        }
    }

    /// From a call of each kind on, all fail.
    @Test func allCallsFromOneOn() throws {
        let most = Program.long ? 60 : 3
        try run { run in
            try run.counts(.working).flatMap { file, call, count in
                Self.places(count, most).map { number in
                    Self.schedule(.working, [file], [call], number...Int.max, variant: number)
                }
            }
        }
    }

    /// Any calls fail, on any files, by a seed.
    @Test func anyCalls() throws {
        try run { _ in
            (0..<(Program.long ? 1500 : 60)).map { index in
                let seed = Self.firstSeed &+ UInt64(index)
                var random = SeededRandom(seed: seed)
                let files = Set(FaultFile.allCases.filter { _ in random.below(2) == 0 })
                let calls = Set(FaultCall.allCases.filter { _ in random.below(2) == 0 })
                let first = 1 + Int(random.below(20))
                let last = random.below(2) == 0 ? Int.max : first + Int(random.below(200))
                var schedule = Self.schedule(
                    random.below(8) == 0 ? .opening : .working, files.isEmpty ? [.log] : files,
                    calls.isEmpty ? [.write] : calls, first...last, variant: Int(random.below(16)))
                schedule.fault.oneIn = 1 + Int(random.below(12))
                schedule.fault.seed = seed
                return schedule
            }
        }
    }

    /// The first ones, and as many spread over the rest.
    private static func places(_ count: Int, _ most: Int) -> [Int] {
        if count <= most { return Array(1...count) }
        let first = (most + 1) / 2, rest = most - first
        return Array(1...first) + (0..<rest).map { first + 1 + $0 * (count - first) / rest }
    }

    private static func schedule(
        _ phase: FaultSchedule.Phase, _ files: Set<FaultFile>, _ calls: Set<FaultCall>, _ numbers: ClosedRange<Int>,
        variant: Int
    ) -> FaultSchedule {
        let isFull = variant % 2 == 0 && calls.isDisjoint(with: [.read])
        let fault = Fault(
            files: files, calls: calls, numbers: numbers, seed: UInt64(variant), error: isFull ? ENOSPC : EIO,
            isTorn: variant % 3 == 0)
        let ends = FaultSchedule.End.allCases
        return FaultSchedule(fault: fault, phase: phase, end: ends[(variant / 2 + variant) % ends.count])
    }
}
