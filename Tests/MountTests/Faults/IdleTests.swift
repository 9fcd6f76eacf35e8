import Foundation
import TestSupport
import Testing

/// A vault with something in flight is not idle, however long that takes.
@Suite struct IdleTests {
    private static let text = [UInt8](repeating: UInt8(ascii: "t"), count: 1 << 20)

    /// A vault with a large file, served by a daemon that locks after two seconds without use.
    private func withMount(_ body: (TestVault, FaultControl, ChildProcess) throws -> Void) throws {
        try TestVault.with { vault in
            try vault.mount()
            try Posix.write(Self.text, to: vault.path("large"))
            try vault.lock()
            let control = try FaultControl(vault.home.file("faults"), of: vault.home.file(".local"))
            let daemon = try vault.serve("--idle", "2s", environment: control.environment())
            try body(vault, control, daemon)
            #expect(try daemon.wait() == 0, "then it locks by itself")
        }
    }

    /// Waits until a call waits; looking at the vault each time keeps it in use until then.
    private func waitUntilOneWaits(_ vault: TestVault, _ control: FaultControl) throws {
        let end = ContinuousClock.now + .patience
        var space = statvfs()
        while try control.failed() == 0 {
            let isMounted = unsafe statvfs(vault.directory, &space) == 0
            try #require(isMounted && ContinuousClock.now < end, "nothing waits")
        }
    }

    private func expectItStays(_ daemon: ChildProcess) {
        // Four times as long as it would take.
        #expect(throws: TestFailure.self, "it is not locked") { try daemon.wait(timeout: .seconds(8)) }
    }

    /// A read for which the disk takes long.
    @Test func readInFlight() throws {
        try withMount { vault, control, daemon in
            try control.arm(Fault(files: [.chunks], calls: [.read], numbers: 1...1, error: 0))
            let group = DispatchGroup()
            Thread.run(in: group) {
                let bytes = try? Posix.read(vault.path("large"))
                #expect(bytes == Self.text)
            }
            try waitUntilOneWaits(vault, control)
            expectItStays(daemon)
            #expect(try control.failed() == 1, "a read waited")
            try control.release()
            group.wait()
        }
    }

    /// An fsync for which the disk takes long.
    @Test func syncInFlight() throws {
        try withMount { vault, control, daemon in
            let file = try Posix.File(vault.path("other"), O_WRONLY | O_CREAT)
            try control.arm(Fault(files: [.journal], calls: [.sync], numbers: 1...1, error: 0))
            try file.write([UInt8]("text".utf8))
            try control.holds {
                try file.synchronize()
            } whileWaiting: {
                try waitUntilOneWaits(vault, control)
                expectItStays(daemon)
                let waited = try control.failed()
                #expect(waited == 1, "a sync waited")
            }
            try file.close()
        }
    }

    /// What was written and cannot be committed would be lost by locking.
    @Test func writeThatIsNotCommitted() throws {
        try withMount { vault, control, daemon in
            let all = Fault(
                files: [.log, .journal, .chunks, .store], calls: [.write], numbers: 1...Int.max, error: ENOSPC)
            try control.arm(all)
            let file = try Posix.File(vault.path("large"), O_WRONLY)
            try file.write([UInt8]("changed".utf8))
            expectItStays(daemon)
            try control.disarm()
            try file.close()
            #expect(try daemon.wait() == 0)
            try vault.mount()
            #expect(try Posix.read(vault.path("large")).starts(with: Array("changed".utf8)))
            try vault.lock()
        }
    }

    /// `coffer verify` asks once, and then reads for as long as it takes.
    @Test func verifyInFlight() throws {
        try withMount { vault, control, daemon in
            try control.arm(Fault(files: [.chunks], calls: [.read], numbers: 1...1, error: 0))
            let group = DispatchGroup()
            Thread.run(in: group) {
                let code = try? vault.coffer(["verify"]).run().code
                #expect(code == 0)
            }
            try waitUntilOneWaits(vault, control)
            expectItStays(daemon)
            #expect(try control.failed() == 1, "a read waited")
            try control.release()
            group.wait()
        }
    }
}

extension FaultControl {
    /// Runs a call that waits, beside `whileWaiting`, and lets it go on after that.
    fileprivate func holds(_ call: @escaping @Sendable () throws -> Void, whileWaiting: () throws -> Void) throws {
        let group = DispatchGroup()
        Thread.run(in: group) {
            let code = try? Posix.code(call)
            #expect(code == 0)
        }
        try whileWaiting()
        try release()
        group.wait()
    }
}
