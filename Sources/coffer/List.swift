internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

struct List: ParsableCommand, TakesEntries {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the entries of a folder.",
        discussion: VerbHelp.text(
            """
            Works with and without a mount. Folders have a slash behind their names. On a terminal a name that a shell \
            would not take as it is stands in the shell's quoting, as with `ls`; elsewhere names are the bytes that they \
            are. In JSON, what is no text of a `name` is U+FFFD, and `bytes` has the name in base64.
            """,
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
        /// The name, where it is no text.
        var bytes: Data?
        var isDirectory: Bool
        var size: UInt64

        init(_ entry: FoundEntry) {
            name = String(decoding: entry.name, as: UTF8.self)
            bytes = String(validating: entry.name, as: UTF8.self) == nil ? Data(entry.name) : nil
            (isDirectory, size) = (entry.isDirectory, entry.size)
        }
    }

    private struct FoundEntry {
        var name: [UInt8]
        var isDirectory: Bool
        var size: UInt64
    }

    var entryArguments: [String] { [path] }

    func run() throws {
        let folder = try EntryPath(path)
        var found = try vault.mount.map { try list(folder, $0) } ?? listUnmounted(folder)
        found.sort { $0.name.lexicographicallyPrecedes($1.name) }
        if json { return Console.json(found.map { Item($0) }) }
        let isTerminal = isatty(STDOUT_FILENO) == 1
        for entry in found {
            let name = isTerminal ? Array(ShellQuoting.quoted(entry.name).utf8) : entry.name
            unsafe Console.result((name + (entry.isDirectory ? Array("/\n".utf8) : [0x0A])).span.bytes)
        }
    }

    private func list(_ folder: EntryPath, _ mount: MountTable.Mount) throws -> [FoundEntry] {
        let directory = mount.directory
        do {
            return try mount.asking {
                var found: [FoundEntry] = []
                try MountedFolder.at(folder.names, below: directory).forEach { name, status in
                    let isDirectory = status.st_mode & FileType.mask == FileType.directory
                    found.append(
                        FoundEntry(name: name, isDirectory: isDirectory, size: UInt64(clamping: status.st_size)))
                }
                return found
            }
        } catch {
            throw (error as? Errno).map { folder.unlisted($0) } ?? Failure(error, vault: vault.path)
        }
    }

    private func listUnmounted(_ folder: EntryPath) throws -> [FoundEntry] {
        try vault.withVault(password, readOnly: true) { opened in
            var found: [FoundEntry] = []
            do throws(Errno) {
                let node = try opened.node(at: folder.names)
                try opened.readDirectory(node, after: 0, remember: false) { name, _, attributes, _, _ in
                    let bytes = unsafe name.withUnsafeBytes { unsafe [UInt8]($0) }
                    let isDirectory = attributes.mode & FileType.mask == FileType.directory
                    found.append(FoundEntry(name: bytes, isDirectory: isDirectory, size: attributes.size))
                    return true
                }
            } catch {
                throw folder.unlisted(error)
            }
            return found
        }
    }
}
