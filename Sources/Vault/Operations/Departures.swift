internal import Format
internal import Glibc

/// Files that have just lost a name to another one, as programs do that save safely: `mv f f.bak; write f; rm f.bak`, the
/// same with a link or an exchange, under any temporary name.
///
/// What they remove is not the file that people know by the name, but its earlier content (``Vault/handOver(_:_:to:now:in:)``).
/// Names that are known to be temporary have another way (``ScratchNames``). In memory, since such a save takes seconds.
struct Departures {
    private struct Departure {
        let file: Identifier
        let nameHash: UInt64
        let time: Int64
        /// The file that has the name now.
        var heir: Identifier?
    }

    private var recent: [Departure] = []
    var isEmpty: Bool { recent.isEmpty }
    private static let most = 16
    /// In seconds; a file that is removed later than that is one that somebody meant to keep.
    private static let longest: Int64 = 60

    /// A file has lost a name; it has another one.
    mutating func note(_ file: Identifier, left nameHash: UInt64) {
        recent.removeAll { $0.file == file && $0.nameHash == nameHash }
        if recent.count == Departures.most { recent.removeFirst() }
        recent.append(Departure(file: file, nameHash: nameHash, time: Departures.now()))
    }

    /// A file has got a name.
    mutating func note(_ file: Identifier, got nameHash: UInt64) {
        recent.removeAll { $0.nameHash == nameHash && $0.file == file }
        for index in recent.indices where recent[index].nameHash == nameHash { recent[index].heir = file }
    }

    /// The file that got the name which this one had, and the name's hash.
    func heir(of file: Identifier) -> (file: Identifier, nameHash: UInt64)? {
        guard let found = recent.first(where: { $0.file == file && $0.heir != nil }), let heir = found.heir,
            Departures.now() - found.time <= Departures.longest
        else { return nil }
        return (heir, found.nameHash)
    }

    /// Of a clock that nobody sets.
    private static func now() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec)
    }
}
