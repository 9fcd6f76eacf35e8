import Foundation
import Synchronization

extension ChildProcess {
    /// The test's process ignores SIGPIPE, so that a program that does not read its input is no danger.
    private static let ignorePipeSignal: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

    /// Runs `body` while no test is starting a process.
    ///
    /// For what must not be inherited even until execve(2), which closes it: close-on-exec is too late where a copy of it
    /// keeps something alive that its close waits for.
    public static func whileNoneStarts<Result>(_ body: () throws -> Result) rethrows -> Result {
        try Descriptor.starting.withLock { _ in try body() }
    }

    static func spawn(_ command: Command, _ terminal: Terminal) throws -> pid_t {
        ignorePipeSignal
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe _ = posix_spawn_file_actions_destroy(&actions) }
        unsafe connect(&actions, terminal)

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe _ = posix_spawnattr_destroy(&attributes) }
        setAttributes(&attributes, terminal)

        // The call that changes the directory of a child is no part of Swift's Glibc; env does it.
        let inDirectory = command.directory.map { ["env", "--chdir", $0] } ?? []
        let arguments = inDirectory + [command.program] + command.arguments
        let environment = (command.environment ?? ProcessInfo.processInfo.environment).map { "\($0.key)=\($0.value)" }
        let program = arguments[0]
        var child: pid_t = 0
        let error = whileNoneStarts {
            unsafe withCStrings(arguments) { arguments in
                unsafe withCStrings(environment) { environment in
                    unsafe posix_spawnp(&child, program, &actions, &attributes, arguments, environment)
                }
            }
        }
        guard error == 0 else { throw TestFailure("\(command.program): \(unsafe String(cString: strerror(error)))") }
        return child
    }

    /// Linux's <spawn.h> has it behind _GNU_SOURCE, where Swift does not see it.
    private static let startSession: Int32 = 0x80

    private static func connect(_ actions: inout posix_spawn_file_actions_t, _ terminal: Terminal) {
        switch terminal {
        case .descriptors(let input, let output, let errors):
            unsafe _ = posix_spawn_file_actions_adddup2(&actions, input, 0)
            unsafe _ = posix_spawn_file_actions_adddup2(&actions, output, 1)
            unsafe _ = posix_spawn_file_actions_adddup2(&actions, errors, 2)
        case .terminal(let path):
            unsafe _ = posix_spawn_file_actions_addopen(&actions, 0, path, O_RDWR, 0)
            unsafe _ = posix_spawn_file_actions_adddup2(&actions, 0, 1)
            unsafe _ = posix_spawn_file_actions_adddup2(&actions, 0, 2)
        }
    }

    /// A new session for a terminal (whose first opened terminal then controls it), else a new process group;
    /// default handling and no mask for all signals.
    private static func setAttributes(_ attributes: inout posix_spawnattr_t, _ terminal: Terminal) {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        var flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        if case .terminal = terminal { flags |= startSession } else { flags |= POSIX_SPAWN_SETPGROUP }
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe strings.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { while let pointer = unsafe pointers.popLast() { unsafe free(pointer) } }
        return unsafe body(pointers)
    }
}
