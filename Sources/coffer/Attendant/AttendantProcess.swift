internal import CProcess
internal import Foundation
internal import Fuse
internal import Glibc
internal import Sealing
internal import SystemPackage

/// The other side of an ``Attendant``.
struct AttendantProcess: Sendable {
    let mountPoint: FilePath

    /// The longest request: a byte and a command, which is shorter than the request that a verb can set it with.
    private static let requestMost = 1 + (1 << 15)
    /// The longest answer: a byte and a line.
    static let answerMost = 1 + SecretLine.limit

    private static let unmounter = PacketSocket(descriptor: 3)
    private static let runner = PacketSocket(descriptor: 4)

    /// What /proc/PID/cmdline begins with (proc(5)): people and pkill(1) can tell it from the process that has the keys, and
    /// it knows itself by that.
    private static let name = "coffer attendant"

    /// Runs this program anew as one. A new program rather than fork(2) alone: behind a fork the runtime's locks take the
    /// process for its parent, and wait for ever (seen: swift_once with a futex of another thread's number).
    static func start(
        _ mountPoint: FilePath, _ unmounter: PacketSocket, _ runner: PacketSocket, keepsErrors: Bool
    ) throws(Failure) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        for standard in keepsErrors ? [STDIN_FILENO, STDOUT_FILENO] : [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
            unsafe posix_spawn_file_actions_addopen(&actions, standard, "/dev/null", O_RDWR, 0)
        }
        unsafe posix_spawn_file_actions_adddup2(&actions, unmounter.descriptor, self.unmounter.descriptor)
        unsafe posix_spawn_file_actions_adddup2(&actions, runner.descriptor, self.runner.descriptor)
        var process = pid_t()
        let arguments: [String] = [name, mountPoint.string]
        var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        // The process of the mount may be stopped together with it, by a terminal or a service manager, and needs it then: it
        // ends by nothing but the end of its sockets, and begins with these signals blocked.
        let failed = Interrupts.blocked {
            unsafe posix_spawn(&process, "/proc/self/exe", &actions, nil, &words, environ)
        }
        guard failed == 0 else {
            throw Failure(.otherError, "No process can be started beside the mount: \(Errno(rawValue: failed)).")
        }
        return process
    }

    /// The process that the arguments ask for; nil where they are a person's.
    static var asked: AttendantProcess? {
        let words = CommandLine.arguments
        guard words.count == 2, words[0] == name else { return nil }
        return AttendantProcess(mountPoint: FilePath(words[1]))
    }

    /// Serves until nobody is at the other end.
    func run() -> Never {
        Interrupts.block()
        guard Self.unmounter.isPacketSocket, Self.runner.isPacketSocket else { _exit(ExitCode.usage.rawValue) }
        Self.letGo()
        Thread.detachNewThread { Self.runCommands() }
        while Self.unmounter.receive(atMost: 1) != nil {
            Detaching.detach(mountPoint.string)
            _ = unsafe Self.unmounter.send([1].span.bytes)
        }
        _exit(0)
    }

    private static func runCommands() {
        // Nobody is to wait for what does not come.
        defer { runner.end() }
        while let request = runner.receive(atMost: requestMost) {
            let command = request.withBytes { bytes in
                unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0.dropFirst(), as: UTF8.self) }
            }
            let answer = CredentialCommands.ownChildren.run(command).encoded()
            guard answer.withBytes({ runner.send($0) }) else { return }
        }
    }

    /// Keeps nothing of what the process of the mount had open, and stands in no folder that somebody may want to unmount.
    private static func letGo() {
        unsafe chdir("/")
        for socket in [unmounter, runner] { _ = fcntl(socket.descriptor, F_SETFD, FD_CLOEXEC) }
        guard coffer_close_from(5) != 0 else { return }
        for number in 5..<max(5, getdtablesize()) { close(number) }
    }
}
