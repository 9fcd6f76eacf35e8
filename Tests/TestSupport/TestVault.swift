import Foundation

/// A vault of a user of its own, with everything that a test needs to drive the real program on it.
public final class TestVault: Sendable {
    /// A good master password.
    public static let password = "plum violet anchor 47 harbour"

    /// The user's home.
    public let home: TemporaryHome
    /// The file with the master password.
    public let passwordFile: String
    /// The vault's file, at its default place.
    public var file: String { home.file(".local/share/coffer/vault.coffer") }
    /// Where it is mounted.
    public let directory: String

    private init(in parent: String, trueCost: Bool) throws {
        home = try TemporaryHome(in: parent, trueCost: trueCost)
        passwordFile = try home.write(Self.password + "\nsecond line\n", to: "password")
        directory = try home.directory("mount point")
    }

    /// Makes a home with a vault in it (without one where `initialized` is false), gives it to `body`, and takes
    /// mounts and files away, whatever happens.
    ///
    /// - Parameter trueCost: see ``TemporaryHome/init(in:trueCost:)``.
    public static func with<R>(
        in parent: String = TemporaryHome.parent, initialized: Bool = true, trueCost: Bool = false,
        _ body: (TestVault) throws -> R
    ) throws -> R {
        let vault = try TestVault(in: parent, trueCost: trueCost)
        defer { vault.finish() }
        if initialized { try vault.make() }
        return try body(vault)
    }

    /// A vault for a test that waits for tasks, which calls ``finish()``.
    public static func kept() throws -> TestVault {
        let vault = try TestVault(in: TemporaryHome.parent, trueCost: false)
        try vault.make()
        return vault
    }

    /// Takes the mounts away and waits for the processes behind them: they still write into the home.
    public func finish() {
        let left = processes(containing: home.path)
        Mount.clear(below: home.path)
        for process in left {
            process.send(SIGKILL)
            try? process.waitForEnd()
        }
        home.remove()
    }

    /// `coffer init` at the lowest cost.
    @discardableResult
    public func make(_ arguments: String...) throws -> Command.Result {
        let words = ["init", "--kdf-memory", "64", "--password-file", passwordFile]
        let result = try coffer(words + arguments).run(expecting: 0)
        try keepFingerprint(result)
        return result
    }

    /// Keeps the six words that `init` says, for ``fingerprint``.
    public func keepFingerprint(_ made: Command.Result) throws {
        let line = made.text.split(separator: "\n").first { $0.hasPrefix("Fingerprint: ") }
        try home.write(line.map { String($0.dropFirst(13)) } ?? "", to: "fingerprint")
    }

    /// What another device joins with, where nobody is there to compare: the option and the words.
    public var fingerprint: [String] {
        ["--fingerprint", (try? String(contentsOfFile: home.file("fingerprint"), encoding: .utf8)) ?? ""]
    }

    /// The program with any arguments.
    public func coffer(_ arguments: [String], input: String = "") throws -> Command {
        home.command(try Program.coffer(), arguments, input: input)
    }

    /// The program with the verb, the right password and more arguments.
    public func opened(_ verb: String, _ arguments: String...) throws -> Command {
        // Behind the words of a verb that has verbs of its own.
        try coffer([verb] + arguments + ["--password-file", passwordFile])
    }

    /// Modes are as in any folder, with which tests compare what is in the mount.
    private static let modes = ["-o", "umask=0"]

    /// Mounts in the background; returns when the mount is usable.
    public func mount(_ arguments: String...) throws {
        let words = ["mount", directory, "--password-file", passwordFile] + Self.modes
        try coffer(words + arguments).run(expecting: 0)
    }

    /// Mounts in the foreground and waits for the mount; the process is the daemon itself.
    ///
    /// - Parameter environment: variables for it besides those of the home.
    public func serve(_ arguments: String..., environment: [String: String] = [:]) throws -> ChildProcess {
        let words = ["mount", directory, "--foreground", "--password-file", passwordFile] + Self.modes
        var command = try coffer(words + arguments)
        command.environment?.merge(environment) { $1 }
        let process = try command.start()
        // A dead mount may still be there until the new one comes, and the kernel gives its number again: it is asked.
        do {
            try waitForMounts("\(directory) is mounted", by: process) { mounts in
                mounts.contains { $0.directory == directory && $0.isAlive }
            }
        } catch {
            // Whoever tries something else finds the vault free.
            process.kill()
            throw TestFailure("\(error); mount --foreground ended with \(try process.wait())")
        }
        return process
    }

    /// `coffer lock`, which has to succeed.
    public func lock() throws {
        try coffer(["lock"]).run(expecting: 0)
    }

    /// Gives the mount point back, as it was before the first mount.
    public func release() throws {
        try coffer(["mount", "--release", directory]).run(expecting: 0)
    }

    /// Whether something is mounted for this vault.
    public var isMounted: Bool { (try? !Mount.below(directory).isEmpty) ?? false }

    /// A path in the mount.
    public func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Writes a file of the mount, in one open, write, close.
    public func write(_ text: String, to name: String) throws {
        try Posix.write(Array(text.utf8), to: path(name))
    }

    /// The text of a file of the mount.
    public func read(_ name: String) throws -> String {
        String(decoding: try Posix.read(path(name)), as: UTF8.self)
    }

    /// The process in the background that serves the mount.
    public func daemon() throws -> RunningProcess {
        guard let found = processes(containing: directory).first else {
            throw TestFailure("no process serves \(directory)")
        }
        return found
    }

    /// The processes in the background one of whose arguments contains `text`.
    private func processes(containing text: String) -> [RunningProcess] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { name in
            guard let identifier = pid_t(name) else { return nil }
            let line = RunningProcess.text("cmdline", of: identifier)
            guard line.contains(text), line.contains("--ready-descriptor") else { return nil }
            return try? RunningProcess(identifier)
        }
    }
}
