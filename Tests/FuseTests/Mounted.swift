import Dispatch
import Foundation
import Fuse
import Synchronization
import SystemPackage
import TestSupport

/// A ``MemoryFiles`` on a real mount.
final class Mounted: Sendable {
    let files: MemoryFiles
    let session: Session
    let directory: String
    private let home: TemporaryHome
    /// What ``Session/run()`` returned.
    private let ended = DispatchSemaphore(value: 0)
    private let outcome = Mutex<Errno??>(nil)

    /// Gives a mount to `body`, and takes it away whatever happens.
    static func with<R>(isCached: Bool = false, _ body: (Mounted) throws -> R) throws -> R {
        let mounted = try Mounted(MemoryFiles(isCached: isCached))
        defer { mounted.finish() }
        return try body(mounted)
    }

    private init(_ files: MemoryFiles) throws {
        self.files = files
        home = try TemporaryHome()
        directory = try home.directory("mount")
        session = try Session(fileSystem: files, options: ["default_permissions", "fsname=memory", "subtype=test"])
        files.trouble.connect { [session] in session.passTurn() }
        // libfuse starts fusermount3 for ordinary users.
        try ChildProcess.whileNoneStarts { try session.mount(at: FilePath(directory)) }
        Thread.detachNewThread { [self] in
            // As from a program that blocks every signal: the mask is inherited (pthread_create(3), execve(2)).
            var signals = sigset_t()
            unsafe sigfillset(&signals)
            unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
            let result = session.run()
            outcome.withLock { $0 = .some(result) }
            ended.signal()
        }
    }

    /// Whether ``Session/run()`` returns, and without an error.
    func hasEnded() -> Bool {
        guard ended.wait(timeout: .now() + 300) == .success else { return false }
        ended.signal()
        return outcome.withLock { $0 } == .some(nil)
    }

    private func finish() {
        end { session.unmount() }
        home.remove()
    }

    /// Ends the session by what `body` does, and unmounts.
    ///
    /// Not while a child is started: until execve(2) it has copies of the files that are open here and of /dev/fuse. To
    /// close the files it waits for an answer that nobody gives any more, and as long as its copy of the device is open
    /// the kernel does not give up waiting (fuse_flush() and fuse_dev_release() of Linux; not even SIGKILL ends it).
    func end(_ body: () -> Void) {
        ChildProcess.whileNoneStarts {
            body()
            _ = hasEnded()
            session.unmount()
        }
    }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    func write(_ text: String, to name: String) throws { try Posix.write(Array(text.utf8), to: path(name)) }

    func read(_ name: String) throws -> String { String(decoding: try Posix.read(path(name)), as: UTF8.self) }
}
