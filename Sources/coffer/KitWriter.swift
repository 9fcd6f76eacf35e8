internal import Foundation
internal import Glibc
internal import KitImage
internal import Sealing
internal import SystemPackage
internal import Vault

/// Writes a kit as a page: a picture or text.
enum KitWriter {
    enum Form { case png, svg, text, terminal }

    static func issue(
        _ vault: Vault, password: borrowing MasterPassword, email: String, parameters: KDFParameters
    ) throws -> [UInt8] {
        do throws(VaultError) {
            let settings = try vault.syncSettings().flatMap { SyncSettings($0) }
            let kit = try vault.issueKit(
                password: password, email: email, parameters: parameters, remote: settings?.remote?.url ?? "")
            try vault.note(kit: kit)
            return kit
        } catch {
            throw Failure(error, vault: vault.path)
        }
    }

    /// What a file is to hold, by its ending; nil for another one.
    static func form(of file: String) -> Form? {
        switch FilePath(file).extension?.lowercased() {
        case "png": .png
        case "svg": .svg
        case "txt", nil: .text
        default: nil
        }
    }

    /// Says that a kit cannot be written there, before it is issued.
    ///
    /// - Parameter vault: the vault's file, which may not exist yet. Neither it nor what lies beside it is written over.
    static func check(_ file: String, besides vault: FilePath) throws {
        let path = Directories.absolute(file)
        let others = Vault.fileSuffixes.map { vault.string + $0 }
        guard !others.contains(where: { isSame(path.string, $0) }) else {
            throw Failure(
                .otherError, "\(file) belongs to the vault itself; no kit was written.", hint: "Name another file.")
        }
        let folder = path.removingLastComponent()
        let isWritable = unsafe access(folder.string, W_OK) == 0
        let reason = Errno(rawValue: errno)
        guard isWritable || isOpenedAsItIs(path.string) else {
            throw Failure(
                .otherError, "The kit cannot be written to \(file): \(reason).",
                hint: "Name a file in a folder that exists and that you may write to.")
        }
    }

    /// The same name, or one file under two names.
    private static func isSame(_ one: String, _ other: String) -> Bool {
        let (path, otherPath) = (Directories.absolute(one), Directories.absolute(other))
        let folders = [path, otherPath].map { Directories.resolved($0.removingLastComponent()) }
        if path.lastComponent == otherPath.lastComponent, folders[0] == folders[1] { return true }
        var (first, second) = (stat(), stat())
        return unsafe stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_ino == second.st_ino
            && first.st_dev == second.st_dev
    }

    /// A device, a pipe or a link, such as /dev/stdout: it stays what it is.
    private static func isOpenedAsItIs(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
    }

    /// Whole or not at all, and for its owner only, also where there was such a file for others to read.
    static func write(_ sheet: IssuedSheet, to file: String, as form: Form, besides vault: FilePath) throws {
        try check(file, besides: vault)
        let bytes = try render(sheet.page, as: form)
        let isNew = !isOpenedAsItIs(file)
        let target = isNew ? "\(file).\(UUID().uuidString.prefix(8)).tmp" : file
        do {
            let options: FileDescriptor.OpenOptions = isNew ? [.create, .exclusiveCreate] : [.create, .truncate]
            let descriptor = try FileDescriptor.open(
                FilePath(target), .writeOnly, options: options.union(.closeOnExec), permissions: .ownerReadWrite)
            try descriptor.closeAfter {
                _ = try descriptor.writeAll(bytes)
                guard !isNew || fsync(descriptor.rawValue) == 0 else { throw Errno(rawValue: errno) }
            }
            guard unsafe !isNew || rename(target, file) == 0 else { throw Errno(rawValue: errno) }
        } catch {
            if isNew { unsafe unlink(target) }
            throw Failure(.otherError, "The kit cannot be written to \(file): \(error).")
        }
        Console.say("Kit written to \(file). Keep it apart from the master password.")
    }

    static func render(_ page: KitPage, as form: Form) throws -> [UInt8] {
        do throws(KitImageError) {
            switch form {
            case .png: return try page.png()
            case .svg: return try page.svg()
            case .terminal: return try page.terminal(colors: Console.usesColours)
            case .text: return page.text()
            }
        } catch {
            throw Failure(.otherError, "The kit cannot be drawn: \(error).")
        }
    }
}
