internal import Glibc

/// The program's arguments as the bytes that they are. Names in a file system are bytes (path_resolution(7)), and Swift's
/// strings are text: a byte that is no text stands in one as a scalar at the end of the last private plane, as Python's
/// surrogateescape does it (PEP 383). A scalar of that range in the text itself is taken apart in the same way, so that
/// ``bytes(of:)`` always gives what was there.
enum RawArguments {
    private static let escapes: ClosedRange<UInt32> = 0x10_FF80...0x10_FFFF
    private static let base: UInt32 = 0x10_FF00

    /// Without the program's name.
    static var all: [String] {
        (0..<Int(CommandLine.argc)).dropFirst().compactMap { index in
            unsafe CommandLine.unsafeArgv[index].map { word in
                text(of: unsafe [UInt8](UnsafeRawBufferPointer(start: word, count: strlen(word))))
            }
        }
    }

    static func text(of bytes: [UInt8]) -> String {
        if let whole = String(validating: bytes, as: UTF8.self), isText(whole) { return whole }
        var scalars = String.UnicodeScalarView()
        var rest = bytes[...]
        while let first = rest.first {
            // The length of a sequence, from the ones that its first byte begins with (RFC 3629).
            let length = max(1, min(4, (~first).leadingZeroBitCount))
            let found = String(validating: rest.prefix(length), as: UTF8.self)?.unicodeScalars.first
            if let found, !escapes.contains(found.value) {
                scalars.append(found)
                rest = rest.dropFirst(length)
            } else {
                scalars.append(Unicode.Scalar(base + UInt32(first)) ?? "\u{FFFD}")
                rest = rest.dropFirst()
            }
        }
        return String(scalars)
    }

    static func bytes(of text: String) -> [UInt8] {
        if isText(text) { return Array(text.utf8) }
        return text.unicodeScalars.flatMap { scalar in
            escapes.contains(scalar.value) ? [UInt8(scalar.value - base)] : Array(UTF8.encode(scalar) ?? .init())
        }
    }

    /// Whether there is nothing but text in it.
    static func isText(_ text: String) -> Bool { !text.unicodeScalars.contains { escapes.contains($0.value) } }
}

/// A verb among whose arguments are paths of entries, which may be any bytes. All other arguments are text.
protocol TakesEntries {
    /// As they were given.
    var entryArguments: [String] { get }
}
