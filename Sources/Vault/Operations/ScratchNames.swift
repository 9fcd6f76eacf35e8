/// The names under which editors keep what is no entry of the user's.
enum ScratchNames {
    /// Swap files: they live in memory only and never reach the store.
    ///
    /// Vim's `.name.swp` and its successors `.swo`, `.swn`… (`:help swap-file`), and `.swx` and `.swpx`
    /// with which it probes the file system.
    static func isVolatile(_ name: RawSpan) -> Bool {
        let bytes = Bytes(name)
        if bytes.count >= 7, bytes[0] == UInt8(ascii: "."), bytes.hasSuffix(".swpx") { return true }
        guard bytes.count >= 6, bytes[0] == UInt8(ascii: "."), bytes[bytes.count - 4] == UInt8(ascii: ".") else {
            return false
        }
        return bytes[bytes.count - 3] == UInt8(ascii: "s") && bytes[bytes.count - 2] == UInt8(ascii: "w")
            && (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(bytes[bytes.count - 1])
    }

    /// Everything that never reaches the remote: swap files, backups (`name~`), Emacs' locks `.#name`
    /// and autosaves `#name#`, vim's probe `4913`, GLib's `.goutputstream-*`, LibreOffice's
    /// `.~lock.*`, the desktop's `.Trash-*`.
    ///
    /// Of directories only the desktop's: editors keep files under such names.
    static func isLocal(_ name: RawSpan, isDirectory: Bool) -> Bool {
        let bytes = Bytes(name)
        if isDirectory { return bytes.hasPrefix(".Trash-") }
        if isVolatile(name) { return true }
        if bytes.count > 1, bytes[bytes.count - 1] == UInt8(ascii: "~") { return true }
        if bytes.count > 2, bytes[0] == UInt8(ascii: "#"), bytes[bytes.count - 1] == UInt8(ascii: "#") { return true }
        return bytes.equals("4913") || bytes.hasPrefix(".#") || bytes.hasPrefix(".goutputstream-")
            || bytes.hasPrefix(".~lock.") || bytes.hasPrefix(".Trash-")
    }

    /// A name's bytes with the few comparisons that are needed here.
    private struct Bytes: ~Copyable {
        private let bytes: [UInt8]
        var count: Int { bytes.count }
        subscript(index: Int) -> UInt8 { bytes[index] }

        init(_ name: RawSpan) {
            bytes = unsafe name.withUnsafeBytes { unsafe [UInt8]($0) }
        }

        func hasPrefix(_ prefix: StaticString) -> Bool {
            "\(prefix)".utf8.elementsEqual(bytes.prefix(prefix.utf8CodeUnitCount))
        }

        func hasSuffix(_ suffix: StaticString) -> Bool {
            "\(suffix)".utf8.elementsEqual(bytes.suffix(suffix.utf8CodeUnitCount))
        }

        func equals(_ other: StaticString) -> Bool { "\(other)".utf8.elementsEqual(bytes) }
    }
}

extension Vault {
    /// Whether versions of the file are worth nothing: it lives in memory only.
    static func isScratch(_ inode: Inode) -> Bool { inode.slot == 0 }
}

extension RawSpan {
    /// A copy, for the few places that keep a name.
    var array: [UInt8] { unsafe withUnsafeBytes { unsafe [UInt8]($0) } }
}
