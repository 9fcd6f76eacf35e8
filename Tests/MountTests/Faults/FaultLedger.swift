import Foundation
import TestSupport

/// What each name may hold after calls of which some have failed.
struct FaultLedger {
    enum Allowed {
        /// This, or nothing of that name.
        case exactly(Holding?)
        /// A file, each block of which is of one of these contents: writing it failed somewhere.
        case mixture([Data])
    }

    private(set) var names: [String: Allowed]

    init(_ holdings: [String: Holding]) { names = holdings.mapValues { .exactly($0) } }

    /// The contents that a file may have parts of.
    private func contents(_ name: String) -> [Data] {
        switch names[name] {
        case .exactly(.file(let content))?: [content]
        case .mixture(let contents)?: contents
        default: []
        }
    }

    /// A call has returned success.
    mutating func set(_ name: String, _ holding: Holding?) { names[name] = .exactly(holding) }

    /// A call that changes a content has failed; one before it, which made or emptied the file, has not.
    mutating func spoil(_ name: String, with new: Data) { names[name] = .mixture(contents(name) + [new]) }

    /// What both names held has moved.
    mutating func move(_ old: String, to new: String) {
        names[new] = names[old]
        names[old] = .exactly(nil)
    }

    /// What stands in the file after an fsync(2) that returned success.
    mutating func settle(_ name: String, _ content: Data) { names[name] = .exactly(.file(content)) }

    var known: [String] { names.keys.sorted() }

    /// The content that a file has for certain.
    func content(_ name: String) -> Data? {
        guard case .exactly(.file(let content))? = names[name] else { return nil }
        return content
    }

    func exists(_ name: String) -> Bool {
        if case .exactly(nil)? = names[name] { return false }
        return names[name] != nil
    }

    /// Nil where `found` is allowed, else what is wrong.
    func complaint(_ found: [String: Holding]) -> String? {
        for name in Set(names.keys).union(found.keys).sorted() {
            if let complaint = complaint(name, found[name]) { return complaint }
        }
        return nil
    }

    func complaint(_ name: String, _ found: Holding?) -> String? {
        switch (names[name] ?? .exactly(nil), found) {
        case (.exactly(let wanted), _):
            if wanted == found { return nil }
            return "\(name): \(Self.words(found)) instead of \(Self.words(wanted))"
        case (.mixture(let contents), .file(let bytes)?):
            return Self.isMixture(of: contents, bytes) ? nil : "\(name): \(Self.words(found)), which nobody wrote"
        case (.mixture, _): return "\(name): \(Self.words(found)) instead of a file"
        }
    }

    private static func words(_ holding: Holding?) -> String {
        switch holding {
        case nil: "nothing"
        case .directory: "a directory"
        case .file(let bytes): "a file of \(bytes.count) bytes (\(String(decoding: bytes.prefix(24), as: UTF8.self)))"
        }
    }

    /// Empty, or each byte is that of one of the contents at its place, or a zero of a file that was made longer.
    private static func isMixture(of contents: [Data], _ found: Data) -> Bool {
        guard found.count <= contents.map(\.count).max() ?? 0 else { return false }
        let parts = contents.map { [UInt8]($0) }, bytes = [UInt8](found)
        for start in stride(from: 0, to: bytes.count, by: 4096) {
            let range = start..<min(start + 4096, bytes.count)
            let isOfOne = parts.contains { $0.count >= range.upperBound && $0[range] == bytes[range] }
            guard
                isOfOne
                    || range.allSatisfy({ index in
                        bytes[index] == 0 || parts.contains { index < $0.count && $0[index] == bytes[index] }
                    })
            else { return false }
        }
        return true
    }
}
