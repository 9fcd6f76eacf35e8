/// The names under which editors keep what is no entry of the user's.
public enum ScratchNames {
    /// Swap files: they live in memory only and never reach the store.
    ///
    /// Vim's `.name.swp` and its successors `.swo`, `.swn`… (`:help swap-file`), and `.swx` and `.swpx`
    /// with which it probes the file system.
    public static func isVolatile(_ name: RawSpan) -> Bool {
        let count = name.byteCount
        guard count >= 6, name[0] == UInt8(ascii: ".") else { return false }
        if count >= 7, name.has(".swpx", at: count - 5) { return true }
        return name.has(".sw", at: count - 4) && (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(name[count - 1])
    }

    /// Everything that never reaches the remote: swap files, backups (`name~`), Emacs' locks `.#name`
    /// and autosaves `#name#`, vim's probe `4913`, GLib's `.goutputstream-*`, LibreOffice's
    /// `.~lock.*`, the desktop's `.Trash-*`.
    ///
    /// Of directories only the desktop's: editors keep files under such names.
    static func isLocal(_ name: RawSpan, isDirectory: Bool) -> Bool {
        let count = name.byteCount
        if isDirectory { return name.has(".Trash-", at: 0) }
        guard count > 1 else { return false }
        let (first, last) = (name[0], name[count - 1])
        if last == UInt8(ascii: "~") { return true }
        if count > 2, first == UInt8(ascii: "#"), last == UInt8(ascii: "#") { return true }
        guard first == UInt8(ascii: ".") else { return count == 4 && name.has("4913", at: 0) }
        return isVolatile(name) || name.has(".#", at: 0) || name.has(".goutputstream-", at: 0)
            || name.has(".~lock.", at: 0) || name.has(".Trash-", at: 0)
    }
}

extension RawSpan {
    fileprivate subscript(offset: Int) -> UInt8 { unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self) }

    /// Whether `text` stands at `offset`.
    fileprivate func has(_ text: StaticString, at offset: Int) -> Bool {
        guard offset >= 0, byteCount - offset >= text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { text in
            text.indices.allSatisfy { unsafe text[$0] == self[offset + $0] }
        }
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
