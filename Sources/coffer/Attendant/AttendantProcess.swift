internal import CProcess
internal import Foundation
internal import Fuse
internal import Glibc
internal import Sealing
internal import SystemPackage

/// The other side of an ``Attendant``.
struct AttendantProcess: Sendable {
    let mountPoint: FilePath

    /// The longest command, as the longest request that a verb can set it with.
    private static let commandMost = 1 << 15
    /// The longest answer: a byte and a line.
    static let answerMost = 1 + SecretLine.limit

    private static let unmounter = PacketSocket(descriptor: 3)
    private static let runner = PacketSocket(descriptor: 4)

    /// What a process has right behind fork(2) until it ends. The process of the mount may be stopped together with this
    /// one, by a terminal or a service manager: it needs it then, so that this one ends by nothing but its end.
    func run(_ unmounter: PacketSocket, _ runner: PacketSocket, keepsErrors: Bool) -> Never {
        Interrupts.block()
        Self.rename("coffer attendant")
        Self.letGo(but: unmounter, runner, keepsErrors: keepsErrors)
        Thread.detachNewThread { Self.runCommands() }
        while Self.unmounter.receive(atMost: 1) != nil {
            Detaching.detach(mountPoint.string)
            _ = unsafe Self.unmounter.send([1].span.bytes)
        }
        _exit(0)
    }

    private static func runCommands() {
        while let request = runner.receive(atMost: commandMost) {
            let command = request.withBytes { bytes in
                unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
            }
            let answer = CredentialCommands.ownChildren.run(command).encoded()
            guard answer.withBytes({ runner.send($0) }) else { return }
        }
    }

    /// Keeps nothing of what the process of the mount had open, and stands in no folder that somebody may want to unmount.
    private static func letGo(but unmounter: PacketSocket, _ runner: PacketSocket, keepsErrors: Bool) {
        unsafe chdir("/")
        // Out of the way of the numbers that they get.
        let ends = [unmounter, runner].map { fcntl($0.descriptor, F_DUPFD_CLOEXEC, 16) }
        let null = unsafe open("/dev/null", O_RDWR | O_CLOEXEC)
        for standard in keepsErrors ? [STDIN_FILENO, STDOUT_FILENO] : [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
            dup2(null, standard)
        }
        for (end, socket) in zip(ends, [Self.unmounter, Self.runner]) {
            dup2(end, socket.descriptor)
            _ = fcntl(socket.descriptor, F_SETFD, FD_CLOEXEC)
        }
        guard coffer_close_from(5) != 0 else { return }
        for number in 5..<max(5, getdtablesize()) { close(number) }
    }

    /// What /proc/PID/cmdline says (proc(5)): people and pkill(1) can tell it from the process that has the keys.
    private static func rename(_ name: String) {
        let words = unsafe CommandLine.unsafeArgv
        guard let first = unsafe words[0], CommandLine.argc > 0, let last = unsafe words[Int(CommandLine.argc) - 1]
        else { return }
        let room = unsafe UnsafeMutableRawBufferPointer(start: first, count: last - first + strlen(last))
        unsafe room.initializeMemory(as: UInt8.self, repeating: 0)
        unsafe room.copyBytes(from: name.utf8.prefix(room.count))
    }
}
