import Foundation
import TestSupport
import Vault

/// One schedule: a vault, its disk that fails, and how it ends.
struct FaultSchedule: Sendable, CustomStringConvertible {
    enum Phase: Sendable { case opening, working }
    /// How the daemon's life ends, and whether the disk is well again before that.
    enum End: CaseIterable, Sendable { case lock, kill, lockWithFault, killWithFault }
    var fault: Fault
    let phase: Phase
    let end: End

    var description: String { "\(phase), then \(end): \(fault)" }
}

/// A vault that is put back to where it was before each schedule.
final class FaultRun {
    private let vault: TestVault
    private let control: FaultControl
    private let beginning: [String: Holding]

    init(_ vault: TestVault) throws {
        self.vault = vault
        let daemon = try vault.serve()
        try FaultWork.prepare(vault)
        try vault.lock()
        try daemon.wait()
        beginning = try Self.look(vault.home.file(".local")).holdings
        try FileManager.default.copyItem(atPath: vault.home.file(".local"), toPath: vault.home.file("template"))
        control = try FaultControl(vault.home.file("faults"), of: vault.home.file(".local"))
    }

    /// How many calls of each kind the work makes when nothing fails, or opening does.
    func counts(_ phase: FaultSchedule.Phase) throws -> [(FaultFile, FaultCall, Int)] {
        let none = Fault(files: [], calls: [], numbers: 1...1, error: EIO)
        try reset()
        try control.clearCounts()
        let daemon = try vault.serve(environment: control.environment())
        if phase == .working { try control.clearCounts() }
        var work = FaultWork(vault, FaultLedger(beginning), none)
        if phase == .working { work.run() }
        var counts: [(FaultFile, FaultCall, Int)] = []
        for file in FaultFile.allCases {
            for call in FaultCall.allCases {
                let count = try control.count(file, call)
                if count > 0 { counts.append((file, call, count)) }
            }
        }
        try vault.lock()
        try daemon.wait()
        guard work.complaints.isEmpty, work.failures == 0 else { throw TestFailure("\(work.complaints)") }
        return counts
    }

    private func reset() throws {
        try control.disarm()
        try FileManager.default.removeItem(atPath: vault.home.file(".local"))
        try FileManager.default.copyItem(atPath: vault.home.file("template"), toPath: vault.home.file(".local"))
    }

    /// - Returns: whether anything failed, and what went against the contract.
    func run(_ schedule: FaultSchedule) throws -> (hasFailed: Bool, complaints: [String]) {
        try reset()
        if schedule.phase == .opening { try control.arm(schedule.fault) }
        let daemon: ChildProcess
        do { daemon = try vault.serve(environment: control.environment()) } catch {
            try control.disarm()
            guard schedule.phase == .opening else { throw error }
            // The vault could not be opened, and is as it was.
            return (true, try complaints(after: FaultLedger(beginning)))
        }
        // A daemon that hangs would keep the test in a call for ever.
        let watch = DispatchWorkItem { daemon.send(SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + 300, execute: watch)
        defer { watch.cancel() }
        if schedule.phase == .working { try control.arm(schedule.fault) }
        var work = FaultWork(vault, FaultLedger(beginning), schedule.fault)
        work.run()
        var complaints: [String] = []
        if schedule.end == .lock || schedule.end == .kill {
            try control.disarm()
            work.checkAll(canSync: !schedule.fault.calls.contains(.sync) && schedule.phase == .working)
        }
        if daemon.hasEnded { complaints.append("the daemon has ended, or was killed because it hung") }
        try end(schedule.end, daemon, &complaints)
        let hasFailed = try control.failed() > 0
        try control.disarm()
        complaints += work.complaints
        complaints += try self.complaints(after: work.ledger)
        return (hasFailed, complaints)
    }

    private func end(_ end: FaultSchedule.End, _ daemon: ChildProcess, _ complaints: inout [String]) throws {
        switch end {
        case .lock, .lockWithFault:
            // What the disk did not take, or may not have, it says; dropping that is for another try.
            let code = try vault.coffer(["lock"]).run().code
            if code == 27, try control.failed() > 0 {
                try vault.coffer(["lock", "--discard"]).run(expecting: 0)
            } else if code != 0 {
                complaints.append("lock gave \(code)")
            }
            let daemonCode = try daemon.wait()
            if daemonCode >= 128 { complaints.append("the daemon ended with \(daemonCode)") }
        case .kill, .killWithFault:
            daemon.send(SIGKILL)
            try daemon.wait()
            Mount.clear(below: vault.directory)
        }
    }

    /// The disk is well again: the vault opens, nothing is damaged, and it holds what it may.
    private func complaints(after ledger: FaultLedger) throws -> [String] {
        do {
            let (holdings, damage) = try Self.look(vault.home.file(".local"))
            return [ledger.complaint(holdings)].compactMap { $0 } + damage
        } catch let error as VaultError {
            return ["does not open: \(error)"]
        }
    }

    private static func look(_ directory: String) throws -> (holdings: [String: Holding], damage: [String]) {
        let vault = try TestedVault.open(below: directory)
        let holdings = try vault.holdings
        let damage = try vault.verify { _, _ in }.damage
        try vault.close()
        return (holdings, damage.map { "damaged: \($0.path ?? "") \($0.what)" })
    }
}
