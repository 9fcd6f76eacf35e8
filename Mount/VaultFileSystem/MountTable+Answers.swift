internal import Dispatch
internal import Foundation
internal import Glibc
internal import Synchronization
internal import SystemPackage
internal import Vault

/// Asking a process that may not answer: one that is stopped (SIGSTOP), that a debugger holds, or that waits for a disk
/// which does not answer itself. The kernel lets whoever asks wait for as long as the process lives, and offers no call
/// that gives up. So the question is asked on a thread of its own, which goes with this program.
extension MountTable {
    /// How long a process has for the question whether it is there, which takes it microseconds: so long that a machine
    /// that is short of memory is none that hangs.
    public static let patience = Duration.seconds(10)
}

extension MountTable.Mount {
    /// Whether a process serves it, and answers. statvfs(3) always asks it; stat(2) would be answered from the kernel's
    /// cache.
    public func state(within patience: Duration = MountTable.patience) -> MountTable.State {
        let directory = directory
        let answer = LateAnswer<MountTable.State>()
        answer.find { MountTable.Mount.ask(directory) }
        return answer.wait(patience) ?? .silent
    }

    private static func ask(_ directory: FilePath) -> MountTable.State {
        var space = statvfs()
        guard unsafe statvfs(directory.string, &space) != 0 else { return .served }
        return switch errno {
        case ENOTCONN, ECONNABORTED: .dead
        case ESHUTDOWN: .locking
        default: .served
        }
    }

    /// Does something for which the process behind the mount has to answer, however long it takes as long as that
    /// process answers other questions.
    ///
    /// - Throws: `notResponding` where it does not any more, and what `body` throws.
    public func asking<R: Sendable>(
        patience: Duration = MountTable.patience, _ body: @escaping @Sendable () throws -> R
    ) throws -> R {
        let answer = LateAnswer<Result<R, any Error>>()
        answer.find { Result { try body() } }
        while true {
            if let result = answer.wait(.seconds(1)) { return try result.get() }
            // The answer may have come meanwhile, and the process have ended with it.
            if state(within: patience) == .silent, answer.wait(.zero) == nil { throw silence }
        }
    }

    /// That its process does not answer, and which one that is.
    public var silence: MountError {
        guard case .open(let process?) = try? Vault.state(of: vault) else { return .notResponding(directory, nil) }
        return .notResponding(directory, SilentProcess(process))
    }
}

/// A process that does not answer.
public struct SilentProcess: Sendable, Equatable {
    public let identifier: Int32
    /// By a signal or a debugger, and not by what it waits for.
    public let isStopped: Bool

    init(_ identifier: Int32) {
        self.identifier = identifier
        // The letter behind the name in parentheses (proc_pid_stat(5)).
        let text = (try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8)) ?? ""
        let letter = text.split(separator: ")").last?.split(separator: " ").first
        isStopped = letter == "T" || letter == "t"
    }
}

/// What a thread of its own finds out, and another one waits for as long as it likes.
private final class LateAnswer<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let isThere = DispatchSemaphore(value: 0)

    func find(_ body: @escaping @Sendable () -> Value) {
        Thread.detachNewThread { [self] in
            let found = body()
            value.withLock { $0 = found }
            isThere.signal()
        }
    }

    /// nil where it has not come by then.
    func wait(_ limit: Duration) -> Value? {
        let milliseconds = Int(
            clamping: limit / .milliseconds(1) > 1e9 ? 1_000_000_000 : Int64(limit / .milliseconds(1)))
        _ = isThere.wait(timeout: .now() + .milliseconds(milliseconds))
        return value.withLock { $0 }
    }
}
