internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Sealing
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

/// Which vault a verb works on, and the way to it: the file itself, or the mount where there is one.
struct VaultOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The vault's file (else $COFFER_VAULT, else $XDG_DATA_HOME/coffer/vault.coffer).", valueName: "file"),
        completion: .file())
    var vault: String?

    func validate() throws {
        if vault?.isEmpty == true { throw ValidationError("--vault has no name.") }
    }

    var path: FilePath {
        let environment = ProcessInfo.processInfo.environment
        let chosen = vault ?? environment["COFFER_VAULT"].flatMap { $0.isEmpty ? nil : $0 }
        if let chosen { return Directories.absolute(chosen) }
        return Directories.data.appending("coffer").appending("vault.coffer")
    }

    /// Where the vault is mounted now, if it is.
    ///
    /// - Throws: where the process behind it does not answer: no verb waits for that one.
    var mount: MountTable.Mount? {
        get throws(Failure) {
            guard let (mount, state) = mountAndState else { return nil }
            guard state == .served else { throw Failure(mount.silence, vault: path) }
            return mount
        }
    }

    /// Where the vault is mounted now, and whether the process behind it answers (`served`) or not (`silent`).
    var mountAndState: (mount: MountTable.Mount, state: MountTable.State)? {
        let resolved = Directories.resolved(path)
        let found = MountTable.mounts().filter { $0.vault == resolved }.map { (mount: $0, state: $0.state()) }
        return found.first { $0.state == .served } ?? found.first { $0.state == .silent }
    }

    func open(_ password: borrowing MasterPassword, readOnly: Bool = false, tolerateDamage: Bool = false) throws
        -> Vault
    {
        let options = Vault.OpenOptions(
            readOnly: readOnly, tolerateDamage: tolerateDamage, stateDirectory: Directories.state)
        var (end, holder) = (ContinuousClock.now + .seconds(3), Int32?.none)
        while true {
            do throws(VaultError) {
                let vault = try Vault.open(at: Directories.resolved(path), password: password, options: options)
                for line in vault.restored.lines { Console.say(line) }
                tell(vault.setAside)
                if vault.isRestored, !vault.isReadOnly { noteRestored(vault) }
                if let settings = try? SyncSettings.kept(in: vault) {
                    vault.keeping = (settings.keeping ?? KeepingSettings()).value
                }
                return vault
            } catch {
                // Another verb lets go of it in a moment, and the next one may be faster than this one; a mount does not.
                guard case .inUse = error, try mount == nil else { throw Failure(error, vault: path) }
                if let others = MountTable.othersMount(of: Directories.resolved(path)) { throw Failure(others) }
                if case .open(let process) = try? Vault.state(of: Directories.resolved(path)), process != holder {
                    (end, holder) = (ContinuousClock.now + .seconds(3), process)
                }
                guard ContinuousClock.now < end else { throw Failure(error, vault: path) }
                _ = poll(nil, 0, 20)
            }
        }
    }

    /// The next synchronisation has to know.
    private func noteRestored(_ opened: Vault) {
        guard let bytes = try? opened.syncSettings(), !bytes.isEmpty, var settings = SyncSettings(bytes) else { return }
        settings.restored = Moment.now
        try? opened.setSyncSettings(settings.encoded)
    }

    private func tell(_ setAside: [FilePath]) {
        guard !setAside.isEmpty else { return }
        let names = setAside.map(\.string).joined(separator: " and ")
        Console.say(
            "Beside the vault \(path) lay changes of a process that was killed, which do not belong to the file that is "
                + "there now. They are kept in \(names).")
    }

    /// Opens the vault where it is not mounted, does `body`, and closes it.
    func withVault<R>(
        _ password: PasswordOptions, readOnly: Bool = false, _ body: (Vault) throws -> R
    ) throws -> R {
        try requireFile()
        let secret = try password.read(locked: path)
        let vault = try open(secret, readOnly: readOnly)
        do {
            let result = try body(vault)
            try close(vault)
            return result
        } catch {
            try? vault.close()
            throw Failure(error, vault: path)
        }
    }

    func close(_ vault: Vault) throws {
        do throws(VaultError) { try vault.close() } catch { throw Failure(error, vault: path) }
    }

    /// Says that there is no vault before a password is asked for.
    func requireFile() throws {
        guard FileManager.default.fileExists(atPath: path.string) else {
            throw Failure(VaultError.notFound, vault: path)
        }
    }
}

/// The XDG base directories (<https://specifications.freedesktop.org/basedir-spec/latest/>).
enum Directories {
    static var home: FilePath {
        FilePath(ProcessInfo.processInfo.environment["HOME"] ?? NSHomeDirectory())
    }

    static var data: FilePath { directory("XDG_DATA_HOME", home.appending(".local/share")) }
    static var state: FilePath { directory("XDG_STATE_HOME", home.appending(".local/state")) }

    /// The program's own folder in ``state``.
    static func makeState() {
        Ownership.makeDirectories(state.appending("coffer"))
    }

    /// A relative path in these variables is to be ignored, says the specification.
    private static func directory(_ variable: String, _ fallback: FilePath) -> FilePath {
        guard let value = ProcessInfo.processInfo.environment[variable], value.hasPrefix("/") else { return fallback }
        return FilePath(value)
    }

    static func absolute(_ path: String) -> FilePath {
        path.hasPrefix("/")
            ? FilePath(path).lexicallyNormalized()
            : FilePath(FileManager.default.currentDirectoryPath).pushing(FilePath(path)).lexicallyNormalized()
    }

    /// A mount point as the kernel shows it. What a killed process left there cannot be resolved itself; the folder
    /// above it can.
    static func resolvedMountPoint(_ path: String) -> FilePath {
        let absolute = absolute(path)
        let whole = resolved(absolute)
        guard whole == absolute, let name = absolute.lastComponent else { return whole }
        return resolved(absolute.removingLastComponent()).appending(name)
    }

    /// With symbolic links followed, as the kernel shows it; the path itself where it does not exist.
    static func resolved(_ path: FilePath) -> FilePath {
        guard let real = unsafe realpath(path.string, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe FilePath(platformString: real)
    }
}
