import Foundation
import Remotes
import Sync
import Synchronization
import TestSupport
import Testing

/// Remotes that are there and do not get on: they hold nobody for ever.
@Suite struct SlowRemoteTests {
    /// Time as a test tells it. Waiting takes none: it moves the time.
    private final class Clock: Sendable {
        private let time = Mutex(Duration.zero)
        let moves: Bool

        init(moves: Bool) { self.moves = moves }

        func advance(_ duration: Duration) { time.withLock { $0 += duration } }

        var patience: Patience {
            Patience(
                now: { self.time.withLock { $0 } },
                wait: { duration in
                    try Task.checkCancellation()
                    if self.moves { self.advance(duration) }
                    await Task.yield()
                })
        }
    }

    /// A remote of objects that each take their time.
    private struct Unhurried: Remote {
        let clock: Clock
        let patience: Patience
        let each: Duration
        /// It notes what has come.
        let notes: Bool

        func list(_ folder: RemotePath) async throws(RemoteError) -> [RemoteItem] {
            // For ever: nobody but a cancellation ends it.
            while !Task.isCancelled { await Task.yield() }
            throw .cancelled
        }

        func read(_ paths: [RemotePath], limit: Int) async throws(RemoteError) -> [RemoteBytes] {
            for _ in paths {
                clock.advance(each)
                if notes { patience.note() }
            }
            if !notes { while !Task.isCancelled { await Task.yield() } }
            if Task.isCancelled { throw .cancelled }
            return paths.map { _ in .missing }
        }

        func create(_ objects: [RemoteObject]) async throws(RemoteError) {}
        func replace(_ hint: RemoteObject) async throws(RemoteError) {}
        func remove(_ paths: [RemotePath]) async throws(RemoteError) {}
    }

    private func expectGivenUp(_ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("it went through")
        } catch RemoteError.unreachable(let sentence) {
            #expect(sentence.contains("15 minutes"))
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test func aCallWithoutAnythingWholeIsGivenUp() async throws {
        let clock = Clock(moves: true)
        let patience = clock.patience
        let remote = PatientRemote(Unhurried(clock: clock, patience: patience, each: .zero, notes: true), patience)
        await expectGivenUp { _ = try await remote.list("v1") }
    }

    /// Each object begins the time anew, and what is waited for is one, not all.
    @Test(arguments: [true, false]) func whatComesWholeCounts(notes: Bool) async throws {
        let clock = Clock(moves: false)
        let patience = clock.patience
        let slow = Unhurried(clock: clock, patience: patience, each: .seconds(800), notes: notes)
        let remote = PatientRemote(slow, patience)
        let paths = try (0..<5).map { try RemotePath(path: "v1/\($0)") }
        guard notes else { return await expectGivenUp { _ = try await remote.read(paths, limit: 10) } }
        #expect(try await remote.read(paths, limit: 10).count == 5)
    }

    /// 150 bytes a second are more than nothing, and less than what a transfer has to have.
    @Test func aTrickleIsEnded() async throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n"
        let server = try ScriptedServer { $0.method == "GET" ? .slow(head, 3000) : nil }
        var options = WebDAVOptions.quick
        options.stallTimeout = 1
        options.pacing.attempts = 1
        let remote = try WebDAVRemote(WebAddress(server.address), options: options)
        await #expect(throws: RemoteError.self) { _ = try await remote.read("a/object", limit: 4096) }
    }

    /// A folder of a server that hangs: the call ends for who waits, whatever the kernel does with it.
    @Test func aFolderThatHangsIsGivenUp() async throws {
        try await TestVaultScene.with { vault in
            let daemon = try vault.daemon()
            daemon.send(SIGSTOP)
            defer { daemon.send(SIGCONT) }
            let clock = Clock(moves: true)
            let patience = clock.patience
            let remote = PatientRemote(DirectoryRemote(path: vault.directory, patience: patience), patience)
            let path = try RemotePath(path: "v1/object")
            for _ in 0..<4 {
                await expectGivenUp { try await remote.create([RemoteObject(path: path, bytes: [1])]) }
            }
            // No more threads for it.
            do {
                try await remote.create([RemoteObject(path: path, bytes: [1])])
                Issue.record("it went through")
            } catch RemoteError.unreachable(let sentence) {
                #expect(sentence.contains("have not come back"))
            }
        }
    }
}

/// A vault that is mounted, for a test that waits for tasks.
private enum TestVaultScene {
    static func with(_ body: (TestVault) async throws -> Void) async throws {
        let vault = try TestVault.kept()
        defer { vault.finish() }
        try vault.mount()
        try await body(vault)
    }
}
