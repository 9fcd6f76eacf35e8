/// One call, or one habit of a program, that changes a tree.
enum HistoryStep: Sendable, Equatable, CustomStringConvertible {
    /// open(O_CREAT | O_TRUNC), write, close.
    case save(String, String)
    case append(String, String)
    case truncate(String)
    /// Written beside it, and moved over it.
    case replace(String, by: String, String)
    /// Moved away, written anew, and the old one removed.
    case rewrite(String, away: String, String)
    case create(String)
    case makeDirectory(String)
    case rename(String, String)
    case exchange(String, String)
    case link(String, String)
    /// `ln -f`: a second name made beside it, and moved over it.
    case linkOver(String, String)
    case unlink(String)
    case removeTree(String)
    /// `rm -r`, `mkdir`, and a file in it.
    case remake(String, String, String)
    case symbolicLink(String, String)
    case fifo(String)
    case mode(String, UInt32)
    case attribute(String, String)
    case times(String, Int64)
    /// Opens a file for writing and keeps it open.
    case open(String)
    /// Appends through the file that was opened last.
    case write(String)
    case close
    /// What is done to a conflict copy, the one of this number.
    case removeCopy(Int)
    case editCopy(Int, String)
    case renameCopy(Int, String)

    var description: String {
        switch self {
        case .save(let path, let text): "echo \(text) > \(path)"
        case .append(let path, let text): "echo \(text) >> \(path)"
        case .truncate(let path): ": > \(path)"
        case .replace(let path, let temporary, let text): "echo \(text) > \(temporary); mv \(temporary) \(path)"
        case .rewrite(let path, let away, let text): "mv \(path) \(away); echo \(text) > \(path); rm \(away)"
        case .create(let path): "touch \(path)"
        case .makeDirectory(let path): "mkdir \(path)"
        case .rename(let old, let new): "mv -T \(old) \(new)"
        case .exchange(let old, let new): "mv --exchange \(old) \(new)"
        case .link(let old, let new): "ln \(old) \(new)"
        case .linkOver(let old, let new): "ln -f \(old) \(new)"
        case .unlink(let path): "rm \(path)"
        case .removeTree(let path): "rm -r \(path)"
        case .remake(let path, let name, let text): "rm -r \(path); mkdir \(path); echo \(text) > \(path)/\(name)"
        case .symbolicLink(let path, let target): "ln -s \(target) \(path)"
        case .fifo(let path): "mkfifo \(path)"
        case .mode(let path, let mode): "chmod \(String(mode, radix: 8)) \(path)"
        case .attribute(let path, let value): "setfattr -n user.x -v \(value) \(path)"
        case .times(let path, let seconds): "touch -d @\(seconds) \(path)"
        case .open(let path): "exec 9>> \(path)"
        case .write(let text): "echo \(text) >&9"
        case .close: "exec 9>&-"
        case .removeCopy(let number): "rm (copy \(number))"
        case .editCopy(let number, let text): "echo \(text) > (copy \(number))"
        case .renameCopy(let number, let path): "mv (copy \(number)) \(path)"
        }
    }

    private static let paths = ["a", "a", "b", "b", "c", "d", "d", "d/f", "d/f", "d/g", "d/e", "d/e/f", "e"]
    private static let temporaries = ["a.tmp", "b.bak", "a~", "t", "d/f.new", ".goutputstream-X1"]

    /// - Parameter number: makes its text another one than all others have.
    static func any(_ number: Int, _ random: inout Randomness) -> HistoryStep {
        func path() -> String { paths[random.below(paths.count)] }
        func away() -> String { temporaries[random.below(temporaries.count)] }
        // Some texts come again and again.
        let text = random.below(8) == 0 ? "s\(random.below(2))" : "w\(number)"
        switch random.below(100) {
        case 0..<16: return .save(path(), text)
        case 16..<20: return .append(path(), text)
        case 20..<22: return .truncate(path())
        case 22..<28: return .replace(path(), by: away(), text)
        case 28..<33: return .rewrite(path(), away: away(), text)
        case 33..<36: return .create(path())
        case 36..<42: return .makeDirectory(["d", "d", "d/e", "e", "a"][random.below(5)])
        case 42..<52: return .rename(path(), path())
        case 52..<56: return .exchange(path(), path())
        case 56..<59: return .link(path(), path())
        case 59..<62: return .linkOver(path(), path())
        case 62..<70: return .unlink(path())
        case 70..<75: return .removeTree(["d", "d", "d/e", "e"][random.below(4)])
        case 75..<78:
            return .remake(["d", "d", "d/e", "e"][random.below(4)], "fge".map(String.init)[random.below(3)], text)
        case 78..<81: return .symbolicLink(path(), "t\(random.below(3))")
        case 81..<82: return .fifo(path())
        case 82..<85: return .mode(path(), [0o600, 0o640, 0o700][random.below(3)])
        case 85..<87: return .attribute(path(), "v\(number)")
        case 87..<89: return .times(path(), 1_000_000_000 + Int64(number))
        case 89..<91: return .open(path())
        case 91..<93: return .write(text)
        case 93..<94: return .close
        case 94..<97: return .removeCopy(random.below(3))
        case 97..<99: return .editCopy(random.below(3), text)
        default: return .renameCopy(random.below(3), path())
        }
    }
}
