import Format
import Foundation
import Sealing
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Vault

/// Real editors in a terminal, saving twice each, in the mount and beside it in a plain folder: what is to be seen
/// has to be the same in both, and the vault has each save as one version of the same entry.
@Suite struct EditorTests {
    @Test(arguments: [Editor.vims, Editor.others]) func everySaveIsOneVersion(_ editors: [Editor]) throws {
        try TestVault.with { vault in
            let plain = try vault.home.directory("plain folder")
            try vault.mount()
            for directory in [vault.directory, plain] {
                for (index, editor) in editors.enumerated() {
                    let path = "\(directory)/\(editor.file)"
                    try Posix.write(Array(Editor.texts[0].utf8), to: path)
                    try Posix.check(unsafe chmod(path, index % 2 == 0 ? 0o640 : 0o604), "chmod")
                }
            }
            try vault.lock()
            let identifiers = try open(vault) { store in editors.map { store.entry($0.file)?.identifier } }

            try vault.mount()
            for editor in editors { try edit(with: editor, in: [vault.directory, plain], vault.home) }
            #expect(try Posix.names(vault.directory).sorted() == Posix.names(plain).sorted())
            for name in try Posix.names(plain) {
                let (ours, theirs) = ("\(vault.directory)/\(name)", "\(plain)/\(name)")
                #expect(try Posix.read(ours) == Posix.read(theirs), "the text of \(name)")
                #expect(try Self.rights(ours) == Self.rights(theirs), "mode, owner and group of \(name)")
            }
            try vault.lock()

            try open(vault) { store in
                for (editor, identifier) in zip(editors, identifiers) { try check(editor, identifier, store) }
                #expect(store.statistics().trash == 0)
                #expect(try store.verify { _, _ in }.damage.isEmpty)
            }
            // Nothing is in the store that has no name in it: an entry and a file for each, and the top directory.
            #expect(try Self.count("entry", vault) == editors.count)
            #expect(try Self.count("file", vault) == editors.count + 1)
        }
    }

    /// Locking takes the vault away under an editor with a change: its swap file is nowhere any more; what others keep
    /// for such a case is there, as local files.
    @Test func lockedWhileEditing() throws {
        try TestVault.with { vault in
            try vault.mount()
            let vim = try #require(Editor.vims.first { $0.description.hasSuffix(" swapfile") })
            var terminals: [Pseudoterminal] = []
            for editor in [vim, .emacs] {
                try vault.write(Editor.texts[0], to: editor.file)
                let terminal = try editor.start(in: vault.directory, vault.home)
                for step in editor.preparations { try perform(step, editor, vault.directory, terminal) }
                terminals.append(terminal)
            }
            #expect(try Posix.names(vault.directory).contains(".\(vim.file).swp"))
            try vault.lock()
            for terminal in terminals { terminal.process.kill() }
            try open(vault) { store in
                for name in [vim.file, "emacs"] { #expect(store.entry(name)?.isLocal == false, "\(name)") }
                for name in [".#emacs", "#emacs#"] { #expect(store.entry(name)?.isLocal == true, "\(name)") }
                #expect(store.statistics().entries == 4 && store.statistics().trash == 0)
            }
            #expect(try Self.count("entry", vault) == 4)
            #expect(try Self.count("file", vault) == 5)
        }
    }

    /// Runs the editor in each directory, all at a time.
    private func edit(with editor: Editor, in directories: [String], _ home: TemporaryHome) throws {
        let sessions = try directories.map { ($0, try editor.start(in: $0, home)) }
        for step in editor.steps {
            for (directory, terminal) in sessions { try perform(step, editor, directory, terminal) }
        }
        for (directory, terminal) in sessions {
            #expect(try terminal.wait() == 0, "\(editor) in \(directory):\n\(terminal.transcriptText)")
        }
    }

    private func perform(
        _ step: Editor.Step, _ editor: Editor, _ directory: String, _ terminal: Pseudoterminal
    ) throws {
        switch step {
        case .type(let keys), .save(let keys): try terminal.send(keys)
        case .see(let text): try terminal.expect(text)
        case .find(let name):
            let path = "\(directory)/\(name.replacing("%", with: editor.file))"
            try waitForFiles(in: directory, "\(editor): \(path)") { (try? Posix.status(path)) != nil }
        }
    }

    /// In the store, after everything.
    private func check(_ editor: Editor, _ identifier: Identifier?, _ store: Vault) throws {
        let backup = editor.file + "~"
        #expect(store.entry(backup)?.isLocal == (editor.keepsBackup ? true : nil), "\(backup)")
        // A backup that the entry's former file went to has the versions before; they come back when it goes.
        if editor.keepsBackup { unsafe try store.unlink(Array(backup.utf8).span.bytes, in: .root) }
        #expect(store.entry(editor.file)?.identifier == identifier, "\(editor): the same entry")
        #expect(store.entry(editor.file)?.isLocal == false, "\(editor)")
        let node = unsafe try store.lookup(Array(editor.file.utf8).span.bytes, in: .root, remember: false).0
        let versions = try store.history(of: node).map { version in
            try store.read(version: version).withBytes { bytes in
                unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
            }
        }
        #expect(versions == [Editor.texts[1], Editor.texts[0]], "\(editor)")
    }

    private static func rights(_ path: String) throws -> [UInt32] {
        let status = try Posix.status(path)
        return [status.st_mode, status.st_uid, status.st_gid, UInt32(status.st_nlink)]
    }

    /// Opens the locked vault in this process.
    private func open<R>(_ vault: TestVault, _ body: (Vault) throws -> R) throws -> R {
        let store = unsafe try Vault.open(
            at: FilePath(vault.file), password: MasterPassword(utf8: Array(TestVault.password.utf8).span.bytes),
            options: .init(stateDirectory: FilePath(vault.home.file(".local/state/coffer"))))
        defer { try? store.close() }
        return try body(store)
    }

    /// How many rows a table of the locked vault has.
    private static func count(_ table: String, _ vault: TestVault) throws -> Int {
        let connection = try Connection(path: FilePath(vault.file), readOnly: false, cacheKiB: 256)
        defer { connection.close() }
        let statement = try connection.prepare("SELECT slot FROM \(table)")
        var count = 0
        while try statement.step() { count += 1 }
        return count
    }
}

extension Vault {
    /// The entry of a name in the top directory.
    fileprivate func entry(_ name: String) -> Dentry? {
        tree.withLock { tree in unsafe tree.find(Array(name.utf8).span.bytes, in: .root).map { tree.dentry(at: $0) } }
    }
}
