import Foundation

/// A home directory of a user who never used Coffer: all of the program's files are in it, and it goes away
/// with its mounts at the end of its owner's life.
public final class TemporaryHome: Sendable {
    /// The home directory; it has a space in its name, as people's have.
    public let path: String
    /// Sets HOME and the XDG directories, a UTF-8 locale, and nothing else of the test's own environment but PATH.
    public let environment: [String: String]

    /// Where homes are made: `Tests/run` names a folder, in which nothing may be left when all tests have run.
    public static let parent = ProcessInfo.processInfo.environment["COFFER_TEST_DIRECTORY"] ?? "/tmp"

    /// Makes the home below `parent`, when a test needs a certain file system.
    ///
    /// - Parameter trueCost: whether programs derive keys as they do elsewhere; else that costs next to nothing.
    public init(in parent: String = TemporaryHome.parent, trueCost: Bool = false) throws {
        let path = parent + "/coffer test \(UUID().uuidString.prefix(8))"
        var environment = [
            "HOME": path, "LANG": "C.UTF-8", "TERM": "xterm",
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin:/usr/sbin:/sbin",
        ]
        if !trueCost { environment.merge(try Program.preloading()) { $1 } }
        for (variable, directory) in [
            ("XDG_DATA_HOME", ".local/share"), ("XDG_STATE_HOME", ".local/state"), ("XDG_CONFIG_HOME", ".config"),
            ("XDG_CACHE_HOME", ".cache"), ("XDG_RUNTIME_DIR", "run"), ("TMPDIR", "tmp"),
        ] {
            environment[variable] = "\(path)/\(directory)"
            try FileManager.default.createDirectory(
                atPath: "\(path)/\(directory)", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        }
        self.path = path
        self.environment = environment
    }

    deinit { remove() }

    /// Unmounts all below the home and removes it; nothing happens the second time.
    ///
    /// A daemon whose mount has gone still writes its counter, and would make the directories for it again: its end is
    /// waited for.
    public func remove() {
        Mount.clear(below: path)
        for process in RunningProcess.all(home: path) {
            if (try? process.waitForEnd(timeout: .seconds(60))) == nil {
                process.send(SIGKILL)
                try? process.waitForEnd()
            }
        }
        Mount.clear(below: path)
        do {
            // Where something goes from it meanwhile, that is said of the whole, too.
            while FileManager.default.fileExists(atPath: path) {
                do { try FileManager.default.removeItem(atPath: path) } catch CocoaError.fileNoSuchFile {} catch {
                    guard clearImmutable() else { throw error }
                }
            }
        } catch {
            // Tests/run finds what is left, but not the reason.
            FileHandle.standardError.write(Data("\(path) is not removed: \(error)\n".utf8))
        }
    }

    /// What root has mounted a vault on cannot be removed.
    ///
    /// - Returns: whether there is something that can be removed now.
    private func clearImmutable() -> Bool {
        let all = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        return all.count { (try? Posix.clearImmutable(file($0))) == true } > 0
    }

    /// The path of a file of the home.
    public func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Makes a directory, to mount on for example, and returns its path.
    public func directory(_ name: String) throws -> String {
        try FileManager.default.createDirectory(atPath: file(name), withIntermediateDirectories: true)
        return file(name)
    }

    /// Writes a file that only the user may read, and returns its path.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String {
        let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
        guard FileManager.default.createFile(atPath: file(name), contents: Data(text.utf8), attributes: attributes)
        else { throw SystemFailure(file(name)) }
        return file(name)
    }

    /// Any program with this home.
    public func command(_ program: String, _ arguments: [String] = [], input: String = "") -> Command {
        Command(program, arguments, environment: environment, directory: path, input: input)
    }

    /// The program under test with this home.
    public func coffer(_ arguments: String..., input: String = "") throws -> Command {
        command(try Program.coffer(), arguments, input: input)
    }
}
