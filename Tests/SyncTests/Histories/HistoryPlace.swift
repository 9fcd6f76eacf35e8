/// The folder of one history on one device: the calls that programs make in it, and what is to be seen there.
protocol HistoryPlace: AnyObject {
    /// What a program has open.
    associatedtype File

    /// Until its user removes a file, what is written through its descriptor has to be somewhere.
    var opened: [(file: File, isWanted: Bool)] { get set }
    func isNamed(_ file: File) -> Bool
    func open(_ path: String) throws -> File
    func append(_ text: String, to file: File) throws
    func close(_ file: File)

    func make() throws
    /// Programs would wait for a FIFO and follow a link: there it is refused.
    func save(_ path: String, _ text: String) throws
    func append(_ path: String, _ text: String) throws
    func truncate(_ path: String) throws
    func create(_ path: String) throws
    func makeDirectory(_ path: String) throws
    func makeFIFO(_ path: String) throws
    func makeSymbolicLink(_ path: String, to target: String) throws
    func rename(_ old: String, _ new: String) throws
    func exchange(_ old: String, _ new: String) throws
    func link(_ old: String, _ new: String) throws
    func unlink(_ path: String) throws
    func removeTree(_ path: String) throws
    func setMode(_ path: String, _ mode: UInt32) throws
    func setTime(_ path: String, _ seconds: Int64) throws
    func setAttribute(_ path: String, _ value: String) throws

    /// The paths of all that goes to other devices, sorted.
    func paths() throws -> [String]
    /// The words of each file, without those of names that stay on a device.
    func texts() throws -> [Set<String>]
    /// What every device has to show alike; of names that stay on a device nothing.
    func picture() throws -> [String: String]
}

extension HistoryPlace {
    /// In how many files each word is.
    func counts() throws -> [String: Int] {
        try texts().reduce(into: [:]) { counts, words in for word in words { counts[word, default: 0] += 1 } }
    }

    func words() throws -> Set<String> { try texts().reduce(into: []) { $0.formUnion($1) } }

    /// Closes what programs have open there.
    func closeAll() {
        for open in opened { close(open.file) }
        opened = []
    }

    /// What the system would refuse changes nothing.
    ///
    /// - Returns: what was written through a descriptor, and has to be in the folder now.
    func perform(_ step: HistoryStep) -> String? {
        let wereNamed = opened.map { isNamed($0.file) }
        var isRefused = false
        do { try carryOut(step) } catch { isRefused = true }
        for (index, wasNamed) in zip(opened.indices, wereNamed) where wasNamed && !isNamed(opened[index].file) {
            opened[index].isWanted = false
        }
        guard case .write(let text) = step, !isRefused, let open = opened.last, open.isWanted else { return nil }
        return text
    }

    private func carryOut(_ step: HistoryStep) throws {
        switch step {
        case .save(let path, let text): try save(path, text)
        case .append(let path, let text): try append(path, text)
        case .truncate(let path): try truncate(path)
        case .replace(let path, let temporary, let text):
            try save(temporary, text)
            try rename(temporary, path)
        case .rewrite(let path, let away, let text):
            try rename(path, away)
            try save(path, text)
            try unlink(away)
        case .create(let path): try create(path)
        case .makeDirectory(let path): try makeDirectory(path)
        case .rename(let old, let new): try rename(old, new)
        case .exchange(let old, let new): try exchange(old, new)
        case .link(let old, let new): try link(old, new)
        case .linkOver(let old, let new):
            try link(old, new + ".link")
            try rename(new + ".link", new)
        case .unlink(let path): try unlink(path)
        case .removeTree(let path): try removeTree(path)
        case .remake(let path, let name, let text):
            try removeTree(path)
            try makeDirectory(path)
            try save("\(path)/\(name)", text)
        case .symbolicLink(let path, let target): try makeSymbolicLink(path, to: target)
        case .fifo(let path): try makeFIFO(path)
        case .mode(let path, let mode): try setMode(path, mode)
        case .times(let path, let seconds): try setTime(path, seconds)
        case .attribute(let path, let value): try setAttribute(path, value)
        case .open, .write, .close: try useDescriptor(step)
        case .removeCopy(let number): try unlink(copy(number))
        case .editCopy(let number, let text): try save(copy(number), text)
        case .renameCopy(let number, let path): try rename(copy(number), path)
        }
    }

    private func useDescriptor(_ step: HistoryStep) throws {
        switch step {
        case .open(let path): opened.append((try open(path), true))
        case .write(let text): if let open = opened.last { try append(text, to: open.file) }
        case .close: if let open = opened.popLast() { close(open.file) }
        default: break
        }
    }

    /// The path of a conflict copy.
    private func copy(_ number: Int) throws -> String {
        let copies = try paths().filter { $0.contains("(conflict, ") }
        guard !copies.isEmpty else { throw NoCopy() }
        return copies[number % copies.count]
    }
}

private struct NoCopy: Error {}
