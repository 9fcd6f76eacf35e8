internal import CLinux
internal import Glibc
internal import Sealing
internal import SystemPackage

/// Going to the background: the program runs itself again in a session of its own, gives it the password
/// through a pipe, and waits until it says that the mount is usable.
///
/// A new program rather than fork(2) alone: after a fork only async-signal-safe calls are allowed in a
/// process that may have threads, which the Swift runtime does not promise.
enum Background {
    private static let readyNumber: Int32 = 3

    static func start(_ password: borrowing SecretBytes) throws {
        var arguments = ["/proc/self/exe"] + CommandLine.arguments.dropFirst()
        arguments.removePasswordOptions()
        // Behind the verb, so that a `--` of the user's keeps its meaning.
        let verb = arguments.firstIndex(of: "mount") ?? arguments.endIndex - 1
        arguments.insert(contentsOf: ["--foreground", "--ready-descriptor", "\(readyNumber)"], at: verb + 1)
        var child = try Subprocess.start(arguments, name: CommandLine.arguments.first, ready: readyNumber)
        defer { child.close() }
        _ = password.withBytes { Console.writeBytes($0, to: child.input) }
        _ = unsafe Console.writeBytes([UInt8(0x0A)].span.bytes, to: child.input)
        child.closeInput()
        if let code = child.readByte() {
            guard code == 0 else { throw Silent(code: Int32(code)) }
            return
        }
        let code = child.wait()
        throw Silent(code: code == 0 ? 1 : code)
    }

    /// Until the mount is usable, this process ends with the one that started it: Ctrl-C there means that there is to
    /// be no mount, and a person who has gone is not to be waited for.
    static func endWithParent(_ descriptor: Int32?) {
        guard let descriptor else { return }
        _ = coffer_end_with_parent(SIGTERM)
        if hasGone(descriptor) { Glibc.exit(128 + SIGTERM) }
    }

    /// Whether nobody waits at the other end any more.
    private static func hasGone(_ descriptor: Int32) -> Bool {
        var end = pollfd(fd: descriptor, events: 0, revents: 0)
        return unsafe poll(&end, 1, 0) > 0
    }

    /// Tells whoever started us, with the code that it is to end with, and lets go of the terminal, and of the directory that it was started in.
    static func sayReady(_ descriptor: Int32?, _ code: ExitCode) {
        NotifySocket.ready()
        guard let descriptor else { return }
        _ = coffer_end_with_parent(0)
        unsafe chdir("/")
        if let null = unsafe try? FileDescriptor.open("/dev/null", .readWrite) {
            for standard in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] { dup2(null.rawValue, standard) }
            try? null.close()
        }
        let byte = [UInt8(truncatingIfNeeded: code.rawValue)]
        // It may have gone a moment ago: then the signal came too late, or not at all.
        if unsafe !Console.writeBytes(byte.span.bytes, to: descriptor) { kill(getpid(), SIGTERM) }
        close(descriptor)
    }
}

/// The child has said what was wrong; only its code is left to give.
struct Silent: Error {
    var code: Int32
}

extension [String] {
    /// The child gets the password through its standard input.
    fileprivate mutating func removePasswordOptions() {
        var kept: [String] = []
        var skips = false
        for (index, argument) in enumerated() {
            if argument == "--" {
                kept += self[index...]
                break
            }
            if skips {
                skips = false
            } else if argument == "--password-file" || argument == "--password-command" {
                skips = true
            } else if !argument.hasPrefix("--password-file=") && !argument.hasPrefix("--password-command=") {
                kept.append(argument)
            }
        }
        self = kept
    }
}
