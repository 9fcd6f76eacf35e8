internal import CLinux
internal import Glibc
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// A small process beside that of a mount, for what that one may not do any more once it is confined (``Confinement``):
/// it takes the mount away, for which fusermount3 has to be set-user-id, and runs the command that the remote's password comes
/// from.
///
/// It was started before there were keys, and takes two requests: the folder that it unmounts was named before, and the
/// commands that it runs are those that somebody has allowed (``AllowedCommands``). It ends with the process of the mount,
/// whatever becomes of that one. Where it was ended itself, the mount is served on, and stays behind dead when the vault is
/// locked, as that of a killed process does.
final class Attendant: Sendable {
    private let process: pid_t
    private let unmounting: PacketSocket
    /// A line of its own: a command may wait for a person.
    private let commands: PacketSocket
    private let turn = Mutex(())

    private init(_ process: pid_t, unmounting: PacketSocket, commands: PacketSocket) {
        (self.process, self.unmounting, self.commands) = (process, unmounting, commands)
    }

    /// How long it has for an unmount, in milliseconds.
    private static let unmountMost: Int32 = 10_000
    /// How long it has for its end, which is at once.
    private static let endMost: Int32 = 1000

    /// Starts it.
    ///
    /// - Parameters:
    ///   - mountPoint: what it is to unmount, with links resolved.
    ///   - keepsErrors: what commands say on standard error goes where that of this process goes.
    static func start(mountPoint: FilePath, keepsErrors: Bool) throws(Failure) -> Attendant {
        let (unmounting, unmounter) = try PacketSocket.pair()
        let (commands, runner) = try PacketSocket.pair()
        defer {
            unmounter.close()
            runner.close()
        }
        let process = try AttendantProcess.start(mountPoint, unmounter, runner, keepsErrors: keepsErrors)
        return Attendant(process, unmounting: unmounting, commands: commands)
    }

    /// Takes the mount away. Where nobody answers, whoever is in it still gets errors once this process has ended.
    func unmount() {
        guard unsafe unmounting.send([1].span.bytes) else { return }
        _ = unmounting.receive(atMost: 1, within: Attendant.unmountMost)
    }

    /// Runs commands, one at a time.
    var credentialCommands: CredentialCommands {
        CredentialCommands { [self] command in
            turn.withLock { _ in
                // A message has a byte at the least; else it would be the end.
                let request = [0] + Array(command.utf8)
                guard unsafe commands.send(request.span.bytes),
                    let answer = commands.receive(atMost: AttendantProcess.answerMost)
                else { return .ended }
                return CredentialCommands.Outcome(answer)
            }
        }
    }

    /// Has it end, and waits for that: nothing of the program is left behind a lock.
    func finish() {
        // Not closed: a thread may still wait for a command.
        unmounting.end()
        commands.end()
        let end = pidfd_open(process, 0)
        guard end >= 0 else { return }
        var waited = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
        while unsafe poll(&waited, 1, Attendant.endMost) < 0, errno == EINTR {}
        close(end)
    }
}

extension CredentialCommands.Outcome {
    /// What stands for each in an answer, before the line.
    private enum Code: UInt8 { case line, notAllowed, failed }

    init(_ answer: borrowing SecretBytes) {
        switch Code(rawValue: answer.byte(at: 0)) {
        case .line: self = .line(answer.withBytes { SecretBytes(copying: $0.extracting(droppingFirst: 1)) })
        case .notAllowed: self = .notAllowed
        case .failed, nil: self = .failed
        }
    }

    consuming func encoded() -> SecretBytes {
        switch consume self {
        case .line(let line):
            var bytes = SecretBytes(count: 1 + line.count)
            bytes.setByte(Code.line.rawValue, at: 0)
            for index in 0..<line.count { bytes.setByte(line.byte(at: index), at: 1 + index) }
            return bytes
        case .notAllowed: return SecretBytes(byte: Code.notAllowed.rawValue)
        case .failed: return SecretBytes(byte: Code.failed.rawValue)
        case .ended: return SecretBytes(byte: Code.failed.rawValue)
        }
    }
}

extension SecretBytes {
    fileprivate init(byte: UInt8) {
        self.init(count: 1)
        setByte(byte, at: 0)
    }
}
