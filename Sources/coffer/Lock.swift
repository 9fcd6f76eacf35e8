internal import ArgumentParser
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

struct Lock: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lock: commit, wipe the keys, unmount.",
        discussion: VerbHelp.text(
            "Returns when nothing of the vault can be read any more, also through files that are still open.",
            examples: ["coffer lock", "coffer lock ~/coffer"],
            codes: [.mountPointUnusable]))

    @OptionGroup var vault: VaultOptions

    @Argument(
        help: "The folder that the vault is mounted on; the vault's own mount by default.", completion: .directory)
    var directory: String?

    func run() throws {
        let mount: MountTable.Mount
        if let directory {
            let path = Directories.resolvedMountPoint(directory)
            guard let found = MountTable.mounts().first(where: { $0.directory == path }) else {
                throw Failure(.mountPointUnusable, "No vault is mounted at \(path).")
            }
            mount = found
        } else {
            let path = Directories.resolved(vault.path)
            guard let found = MountTable.mounts().first(where: { $0.vault == path }) else {
                return Console.say("The vault \(path) is not mounted: it is locked already.")
            }
            mount = found
        }
        do throws(MountError) { try mount.lock() } catch { throw Failure(error, vault: mount.vault) }
    }
}
