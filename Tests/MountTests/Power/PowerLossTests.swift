import Foundation
import Synchronization
import TestSupport
import Testing
import Vault

/// The power fails at any moment: the vault opens without an alarm, and what was synced is there.
///
/// - `COFFER_POWER_SEED` repeats what the writers do and what is lost; how their steps interleave is up to the
///   scheduler.
/// - `COFFER_POWER_KEEP` names a folder for the log and the files of a loss that was not survived.
@Suite struct PowerLossTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let firstSeed =
        environment["COFFER_POWER_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64(UInt32.max))

    @Test(arguments: 0..<(Program.long ? 25 : 1)) func whatWasSyncedComesBack(_ run: Int) throws {
        let seed = Self.firstSeed + UInt64(run)
        try TestVault.with { vault in
            let log = try RecordedLog(vault.home.file("log"), of: vault.home.file(".local"))
            let (writers, rounds) = try Self.record(vault, log, seed)
            let disk = try Disk(log)
            let contract = Contract(disk, writers)
            #expect(contract.syncCount > 5)
            var random = SeededRandom(seed: seed)
            for number in 0..<(Program.long ? 150 : 72) {
                let loss = PowerLoss(place: place(in: disk, rounds, number, &random), seed: random.next())
                let directory = vault.home.file("lost")
                try Self.write(loss.files(of: disk), to: directory)
                defer { try? FileManager.default.removeItem(atPath: directory) }
                guard let complaint = try complaint(directory, contract, loss, isKilled: number % 7 == 0) else {
                    continue
                }
                Issue.record("COFFER_POWER_SEED=\(seed), \(loss): \(complaint)")
                if let folder = Self.environment["COFFER_POWER_KEEP"] {
                    try Self.write(loss.files(of: disk), to: "\(folder)/\(seed) \(number)")
                    try disk.bytes.write(to: URL(filePath: "\(folder)/\(seed).log"))
                }
            }
        }
    }

    // MARK: The work

    /// Two writers at work in three mounts, of which two are killed and the last one is locked.
    ///
    /// - Returns: the writers, and for each round where one of them worked alone, up to its end.
    private static func record(
        _ vault: TestVault, _ log: RecordedLog, _ seed: UInt64
    ) throws -> (writers: [Writer], rounds: [Range<Int>]) {
        let writers = [Writer(0, vault, log, seed: seed), Writer(1, vault, log, seed: seed)]
        var rounds: [Range<Int>] = []
        for round in 0..<3 {
            let daemon = try vault.serve(environment: log.environment())
            try workTogether(writers, Program.long ? 60 : 25)
            let start = try log.whileStill { try Disk(log).records.count }
            // Nobody else's fsync(2) meanwhile.
            try writers[0].workAlone()
            if round < 2 {
                try log.whileStill {
                    daemon.send(SIGKILL)
                    try daemon.wait()
                }
            } else {
                try vault.lock()
                try daemon.wait()
            }
            // Whatever slipped past the recorder would make all that follows worthless.
            let disk = try Disk(log)
            let recorded = PowerLoss.nothingLost(of: disk)
            let found = try RecordedLog.files(below: log.directory).mapValues(\.bytes)
            #expect(Set(recorded.keys) == Set(found.keys), "round \(round)")
            for (name, bytes) in found where recorded[name] != bytes {
                Issue.record("round \(round): the recorder missed a change of \(name)")
            }
            rounds.append(start..<disk.records.count)
        }
        return (writers, rounds)
    }

    private static func workTogether(_ writers: [Writer], _ count: Int) throws {
        let failures = Mutex<[any Error]>([])
        // Each writer is handed to one of the threads; the test has them back when both are done.
        nonisolated(unsafe) let writers = writers
        unsafe DispatchQueue.concurrentPerform(iterations: writers.count) { index in
            do { try unsafe writers[index].work(count) } catch { failures.withLock { $0.append(error) } }
        }
        if let failure = failures.withLock({ $0.first }) { throw failure }
    }

    // MARK: The losses

    /// Anywhere; soon after something was promised; while nobody syncs; or soon after a mount that follows a kill, when
    /// only the kernel knows what the killed process had not synced.
    private func place(in disk: Disk, _ rounds: [Range<Int>], _ number: Int, _ random: inout SeededRandom) -> Int {
        let anywhere = Int(random.below(UInt64(disk.records.count + 1)))
        let round = rounds[Int(random.below(UInt64(rounds.count)))]
        switch number % 4 {
        case 0: return anywhere
        case 1:
            let promise = disk.records[anywhere...].firstIndex { $0.asMark?.kind == .syncEnd } ?? anywhere
            return min(disk.records.count, promise + 1 + Int(random.below(8)))
        case 2:
            // At its end, the large file.
            let records = number % 8 < 4 ? round.count : min(100, round.count)
            return round.upperBound - Int(random.below(UInt64(records)))
        default: return min(disk.records.count, round.upperBound + Int(random.below(300)))
        }
    }

    private static func write(_ files: [String: Data], to directory: String) throws {
        for (name, bytes) in files {
            let path = "\(directory)/\(name)"
            try FileManager.default.createDirectory(
                atPath: URL(filePath: path).deletingLastPathComponent().path, withIntermediateDirectories: true)
            try bytes.write(to: URL(filePath: path))
        }
    }

    private func complaint(
        _ directory: String, _ contract: Contract, _ loss: PowerLoss, isKilled: Bool
    ) throws -> String? {
        let opened: Vault
        do throws(VaultError) { opened = try TestedVault.open(below: directory) } catch {
            return "does not open: \(error)"
        }
        defer { try? opened.close() }
        let damage = try opened.verify { _, _ in }.damage
        guard damage.isEmpty else { return "damaged: \(damage.map { "\($0.path ?? "") \($0.what)" })" }
        let found = try opened.holdings
        if let complaint = contract.complaint(found, at: loss.place) { return complaint }
        return isKilled ? try complaintAfterKill(opened, directory, loss, found) : nil
    }

    /// What was lost stays lost: a process that goes on after the loss is killed, too.
    private func complaintAfterKill(
        _ opened: Vault, _ directory: String, _ loss: PowerLoss, _ found: [String: Holding]
    ) throws -> String? {
        var expected = found
        for number in 0...(loss.seed % 4) {
            try opened.makeDirectory("again \(number)")
            expected["again \(number)"] = .directory
        }
        let copy = "\(directory) again"
        defer { try? FileManager.default.removeItem(atPath: copy) }
        try Self.write(RecordedLog.files(below: directory).mapValues(\.bytes), to: copy)
        let second: Vault
        do throws(VaultError) { second = try TestedVault.open(below: copy) } catch {
            return "does not open after a kill: \(error)"
        }
        defer { try? second.close() }
        return try second.holdings == expected ? nil : "other files after a kill"
    }
}
