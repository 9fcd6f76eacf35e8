import Foundation

/// One call of a sequence that moves entries between names that other devices hear of and names that stay here.
enum NameStep: Sendable, Equatable, CustomStringConvertible {
    case save(String, Int, isLarge: Bool)
    case create(String)
    case link(String, String)
    case symbolicLink(String)
    case rename(String, String, flags: UInt32)
    case unlink(String)
    case makeDirectory(String)
    case removeDirectory(String)
    /// Opens a file for writing and keeps it open.
    case open(String, truncate: Bool)
    /// Writes through the file that was opened last.
    case write(Int)
    case close
    /// From here on the vault keeps for other devices what programs do.
    case share

    var description: String {
        switch self {
        case .save(let name, let content, let isLarge): "echo \(content)\(isLarge ? " (large)" : "") > \(name)"
        case .create(let name): "create \(name)"
        case .link(let old, let new): "ln \(old) \(new)"
        case .symbolicLink(let name): "ln -s x \(name)"
        case .rename(let old, let new, let flags): "mv\(["", " -n", " --exchange"][Int(flags)]) \(old) \(new)"
        case .unlink(let name): "rm \(name)"
        case .makeDirectory(let name): "mkdir \(name)"
        case .removeDirectory(let name): "rmdir \(name)"
        case .open(let name, let truncate): "exec 9>\(truncate ? "" : ">") \(name)"
        case .write(let content): "echo \(content) >&9"
        case .close: "exec 9>&-"
        case .share: "coffer remote set …"
        }
    }

    /// Every class of name: shared, backups, locks, autosaves and probes of editors, swap files, and folders of both
    /// kinds.
    private static let names = [
        "a", "a", "b", "b", "c", "a~", "a~", "b~", "#a#", ".#b", "4913", ".goutputstream-X1", ".~lock.a#", ".a.swp",
        ".b.swx", ".Trash-0", "d", "d/a", "d/a~", ".Trash-0/a", ".Trash-0/b~",
    ]

    /// A few names only, so that calls meet.
    static func sequence(_ random: inout Randomness) -> [NameStep] {
        let names = (0..<Int.random(in: 2...6, using: &random)).map { _ in
            Self.names.randomElement(using: &random) ?? "a"
        }
        return (0..<Int.random(in: 3...18, using: &random)).map { number in step(number, names, &random) }
    }

    private static func step(_ number: Int, _ names: [String], _ random: inout Randomness) -> NameStep {
        func name() -> String { names.randomElement(using: &random) ?? "a" }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<22: return .save(name(), number, isLarge: Int.random(in: 0..<6, using: &random) == 0)
        case 22..<26: return .create(name())
        case 26..<34: return .link(name(), name())
        case 34..<37: return .symbolicLink(name())
        case 37..<65: return .rename(name(), name(), flags: [0, 0, 0, 1, 2, 2].randomElement(using: &random) ?? 0)
        case 65..<81: return .unlink(name())
        case 81..<85: return .makeDirectory(["d", ".Trash-0", "a"].randomElement(using: &random) ?? "d")
        case 85..<87: return .removeDirectory(["d", ".Trash-0", "a"].randomElement(using: &random) ?? "d")
        case 87..<92: return .open(name(), truncate: Bool.random(using: &random))
        case 92..<95: return .write(number)
        case 95..<98: return .close
        default: return .share
        }
    }
}
