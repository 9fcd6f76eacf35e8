internal import Glibc
internal import SystemPackage

/// A child process with pipes on its standard input or output, by posix_spawn(3).
struct Subprocess {
    let process: pid_t
    /// The writing end of its standard input, or -1.
    private(set) var input: Int32
    /// The reading end of its output, or of its ready descriptor.
    private(set) var output: Int32

    /// Runs `arguments`; its standard output comes through ``output``.
    static func start(_ arguments: [String]) throws -> Subprocess {
        try start(arguments, name: nil, ready: STDOUT_FILENO, feeds: false)
    }

    /// Runs `arguments` in a session of its own; its standard input is ``input``, and what it writes to the
    /// descriptor `ready` comes through ``output``.
    static func start(_ arguments: [String], name: String?, ready: Int32) throws -> Subprocess {
        try start(arguments, name: name, ready: ready, feeds: true)
    }

    private static func start(
        _ arguments: [String], name: String?, ready: Int32, feeds: Bool
    ) throws -> Subprocess {
        let output = try pipe()
        let input = feeds ? try pipe() : (read: Int32(-1), write: Int32(-1))
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, output.write, ready)
        if feeds { unsafe posix_spawn_file_actions_adddup2(&actions, input.read, STDIN_FILENO) }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // Signals that this process waits for are not blocked in a child.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        // POSIX_SPAWN_SETSIGMASK, and POSIX_SPAWN_SETSID of glibc 2.26: no terminal sends the child its signals.
        unsafe posix_spawnattr_setflags(&attributes, feeds ? 0x88 : 0x08)
        var process = pid_t()
        var words = unsafe ([name ?? arguments[0]] + arguments.dropFirst()).map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        let failed = unsafe posix_spawn(&process, arguments[0], &actions, &attributes, &words, environ)
        Glibc.close(output.write)
        if feeds { Glibc.close(input.read) }
        guard failed == 0 else {
            throw Failure(.otherError, "\(arguments[0]) cannot be started: \(Errno(rawValue: failed)).")
        }
        return Subprocess(process: process, input: input.write, output: output.read)
    }

    private static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard unsafe Glibc.pipe(&ends) == 0 else {
            throw Failure(.otherError, "A pipe cannot be made: \(Errno(rawValue: errno)).")
        }
        // Not among the numbers that the child's ends are put on: dup2 onto itself would leave the
        // close-on-exec flag.
        let high = ends.map { fcntl($0, F_DUPFD_CLOEXEC, 16) }
        for end in ends { Glibc.close(end) }
        return (high[0], high[1])
    }

    /// The next byte of the output; nil at its end.
    func readByte() -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = unsafe read(output, &byte, 1)
            if count == 1 { return byte }
            if count == 0 || errno != EINTR { return nil }
        }
    }

    /// The exit code, 128 and the signal's number where one ended it.
    func wait() -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    func closeInput() {
        if input >= 0 { Glibc.close(input) }
    }

    mutating func close() {
        if output >= 0 { Glibc.close(output) }
        output = -1
    }
}
