internal import ArgumentParser
internal import Foundation
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the entries of a folder.",
        discussion: VerbHelp.text(
            "Works with and without a mount. Folders have a slash behind their names.",
            examples: ["coffer ls mail"],
            codes: .opening + [.noSuchEntry]))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Argument(help: "The folder, from the top of the vault.")
    var path: String = ""

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    private struct Item: Encodable {
        var name: String
        var isDirectory: Bool
        var size: UInt64
    }

    func run() throws {
        let folder = try EntryPath(path)
        var items: [Item] = []
        if let mount = vault.mount {
            do throws(Errno) { items = try list(folder, mount) } catch { throw folder.unlisted(error) }
        } else {
            items = try listUnmounted(folder)
        }
        items.sort { $0.name < $1.name }
        if json { return Console.json(items) }
        for item in items { Console.result(item.name + (item.isDirectory ? "/" : "")) }
    }

    private func list(_ folder: EntryPath, _ mount: MountTable.Mount) throws(Errno) -> [Item] {
        var items: [Item] = []
        try MountedFolder.at(folder.names, below: mount.directory).forEach { name, status in
            let isDirectory = status.st_mode & FileType.mask == FileType.directory
            items.append(Item(name: name, isDirectory: isDirectory, size: UInt64(clamping: status.st_size)))
        }
        return items
    }

    private func listUnmounted(_ folder: EntryPath) throws -> [Item] {
        try vault.withVault(password, readOnly: true) { opened in
            var items: [Item] = []
            do throws(Errno) {
                let node = try opened.node(at: folder.names)
                try opened.readDirectory(node, after: 0, remember: false) { name, _, attributes, _, _ in
                    let text = unsafe name.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
                    let isDirectory = attributes.mode & FileType.mask == FileType.directory
                    items.append(Item(name: text, isDirectory: isDirectory, size: attributes.size))
                    return true
                }
            } catch {
                throw folder.unlisted(error)
            }
            return items
        }
    }
}
