internal import ArgumentParser
internal import Glibc
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

struct Lock: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lock: commit, wipe the keys, unmount.",
        discussion: VerbHelp.text(
            """
            Returns when nothing of the vault can be read any more, also through files that are still open, and its \
            process has ended: the medium that the vault lies on can be unmounted then. Nobody may write to the folder; \
            `coffer mount --release DIR` gives it back.

            Where something cannot be saved, such as on a full disk, it names the entries, ends with 27 and leaves the \
            vault mounted.
            """,
            examples: ["coffer lock", "coffer lock ~/coffer"],
            codes: [.mountPointUnusable, .vaultInUse, .notSaved]))

    @OptionGroup var vault: VaultOptions

    @Argument(
        help: "The folder that the vault is mounted on; the vault's own mount by default.", completion: .directory)
    var directory: String?

    @Flag(name: .long, help: "Lock also where something cannot be saved, and drop that.")
    var discard = false

    func run() throws {
        guard let directory else { return try lockVault(Directories.resolved(vault.path)) }
        let path = Directories.resolvedMountPoint(directory)
        guard let mount = MountTable.mounts().first(where: { $0.directory == path }) else {
            if let others = MountTable.othersMount(at: path) { throw Failure(others) }
            throw Failure(.mountPointUnusable, "No vault is mounted at \(path).")
        }
        try lock(mount)
    }

    private func lock(_ mount: MountTable.Mount) throws {
        do throws(MountError) { try mount.lock(discarding: discard) } catch {
            if case .notSaved(let refusal) = error {
                for entry in refusal.entries { Console.say("Not saved: \(entry)") }
                if refusal.notListed > 0 { Console.say("Not saved: \(refusal.notListed) more") }
            }
            throw Failure(error, vault: mount.vault)
        }
    }

    /// A process may have the vault without a mount: one that is about to mount it, one whose mount was just taken away,
    /// or was taken away lazily while a program is inside of it.
    private func lockVault(_ path: FilePath) throws {
        if let others = MountTable.othersMount(of: path) { throw Failure(others) }
        let holder = VaultHolder(of: path)
        var (process, hasCleared) = (Int32?.none, false)
        for _ in 0..<600 {
            if let mount = MountTable.mounts().first(where: { $0.vault == path }) {
                // Beside a dead one there may be another process.
                hasCleared = mount.state() == .dead
                try lock(mount)
                guard hasCleared else { return }
            }
            guard case .open(let found) = try? Vault.state(of: path) else {
                _ = holder?.waitForEnd(milliseconds: 10_000)
                return hasCleared ? () : Console.say("The vault \(path) is not mounted: it is locked already.")
            }
            process = found
            // flock(2) cannot wait for a bounded time.
            _ = poll(nil, 0, 5)
        }
        throw Failure(
            .vaultInUse, "The vault \(path) is not mounted, but \(Status.name(process)) still has it open.",
            hint: "It lets go of it when no program is inside the old mount any more"
                + (process.map { "; to lock it now: kill \($0)" } ?? "."))
    }
}
