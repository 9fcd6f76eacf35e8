internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Sealing
internal import Synchronization
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

struct Show: ParsableCommand, TakesEntries {
    static let configuration = CommandConfiguration(
        abstract: "Print an entry, or one field of it.",
        discussion: VerbHelp.text(
            """
            Works with and without a mount. The field `password` is the first line; any other field is the value \
            of the first later line `name: value`.
            """,
            examples: ["coffer show mail/gmail", "coffer show mail/gmail user"],
            codes: .opening + [.noSuchEntry]))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Argument(help: "The entry, from the top of the vault.")
    var path: String

    @Argument(help: "A field: password, or the name of a `name: value` line.")
    var field: String?

    var entryArguments: [String] { [path] }

    func run() throws {
        let entry = try EntryPath(path)
        let bytes = try content(of: entry)
        try bytes.withBytes { (bytes) throws(Failure) in
            guard let field else { return Console.result(bytes) }
            guard let range = EntryFields.range(of: field, in: bytes) else {
                throw Failure(
                    .otherError, "\(entry.text) has no field `\(field)`.",
                    hint: "The fields are `password`, the first line, and what stands before `:` in later lines.")
            }
            Console.result(bytes.extracting(range))
            Console.result("")
        }
    }

    private func content(of entry: EntryPath) throws -> PlainBuffer {
        guard let mount = try vault.mount else { return try contentUnmounted(entry) }
        let directory = mount.directory
        do {
            let content = try mount.asking {
                let folder = try MountedFolder.at(entry.names.dropLast(), below: directory)
                let name = entry.names.last ?? Array(".".utf8)
                try entry.requireFile(folder.status(name).st_mode)
                return SharedBuffer(try folder.content(name))
            }
            return content.take()
        } catch {
            throw (error as? Errno).map { entry.unreadable($0) } ?? Failure(error, vault: vault.path)
        }
    }

    private func contentUnmounted(_ entry: EntryPath) throws -> PlainBuffer {
        // A noncopyable value cannot leave through a generic closure's result, so it is filled in place.
        var bytes = PlainBuffer(capacity: 0)
        try vault.withVault(password, readOnly: true) { opened in
            do {
                let node = try opened.node(at: entry.names)
                let attributes = try opened.attributes(of: node)
                try entry.requireFile(attributes.mode)
                try opened.opened(node, writing: false, truncate: false)
                defer { opened.closed(node, writing: false) }
                try opened.read(node, offset: 0, count: Int(clamping: attributes.size)) { bytes.append($0) }
            } catch Errno.ioError {
                // Through a mount that may also be one that was just locked.
                throw Failure([Damage(path: entry.text, "its content does not open")])
            } catch let error as Errno {
                throw entry.unreadable(error)
            }
        }
        return bytes
    }
}

/// Bytes that one thread hands to another one.
private final class SharedBuffer: Sendable {
    private let bytes: Mutex<PlainBuffer>

    init(_ bytes: consuming PlainBuffer) { self.bytes = Mutex(bytes) }

    /// Once.
    func take() -> PlainBuffer {
        bytes.withLock { bytes in
            var taken = PlainBuffer(capacity: 0)
            swap(&bytes, &taken)
            return taken
        }
    }
}

/// The convention of `pass`: the first line is the password, the lines behind it `key: value`, then notes.
enum EntryFields {
    static func range(of field: String, in bytes: RawSpan) -> Range<Int>? {
        var start = 0
        var isFirst = true
        while start < bytes.byteCount {
            var end = start
            while end < bytes.byteCount, byte(bytes, end) != 0x0A { end += 1 }
            // In a file from elsewhere a line ends with CR and LF: both are its end, and no part of a password.
            let isCarriageReturn = end < bytes.byteCount && end > start && byte(bytes, end - 1) == 0x0D
            let line = start..<(isCarriageReturn ? end - 1 : end)
            if isFirst, field == "password" { return line }
            if !isFirst, let value = value(of: field, line, bytes) { return value }
            isFirst = false
            start = end + 1
        }
        return nil
    }

    private static func value(of field: String, _ line: Range<Int>, _ bytes: RawSpan) -> Range<Int>? {
        var position = line.lowerBound
        for wanted in field.utf8 {
            guard position < line.upperBound, lower(byte(bytes, position)) == lower(wanted) else { return nil }
            position += 1
        }
        guard position < line.upperBound, byte(bytes, position) == UInt8(ascii: ":") else { return nil }
        position += 1
        while position < line.upperBound, byte(bytes, position) == 0x20 { position += 1 }
        return position..<line.upperBound
    }

    private static func byte(_ bytes: RawSpan, _ offset: Int) -> UInt8 {
        unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
}
