/// Follows the words of one history: which are owed to their users, and which nobody wants any more.
struct HistoryJudge {
    /// What each device has written since it synchronised last.
    private var fresh: [Set<String>]
    /// What each device has to show after its next synchronisation.
    private var inbound: [Set<String>]
    /// How much each device has changed, how much of that it has told, and how much of it each has heard.
    private var changed: [Int]
    private var told: [Int]
    private var heardOf: [[Int]]
    /// What somebody has removed, or written over.
    private var givenUp: Set<String> = []
    private var written: Set<String> = []
    /// Who has written a text: of the same text by two, one is enough.
    private var writers: [String: Set<Int>] = [:]
    /// What was given up while nobody else was at work, and who has not heard of it.
    private var leaving: [String: Leaving] = [:]
    /// What is gone on all devices.
    private var gone: Set<String> = []

    private struct Leaving {
        var by: Int
        var isPublished = false
        var waiting: Set<Int>
    }

    init(devices: Int) {
        fresh = Array(repeating: [], count: devices)
        inbound = fresh
        (changed, told) = (Array(repeating: 0, count: devices), Array(repeating: 0, count: devices))
        heardOf = Array(repeating: changed, count: devices)
    }

    private func knowsAll(_ device: Int) -> Bool {
        changed.indices.allSatisfy { $0 == device || heardOf[device][$0] == changed[$0] }
    }

    /// Texts that come several times cannot be followed for long.
    private static func once(_ words: Set<String>) -> Set<String> { words.filter { $0.hasPrefix("w") } }

    /// A device has done something to its folder.
    ///
    /// - Parameters:
    ///   - before: in how many files each word was.
    ///   - after: in how many it is.
    mutating func note(_ device: Int, before: [String: Int], after: [String: Int]) {
        // Of two files with the same text each of two devices may remove one.
        givenUp.formUnion(before.filter { after[$0.key] ?? 0 < $0.value }.keys)
        let (lost, new) = (Set(before.keys).subtracting(after.keys), Set(after.keys).subtracting(before.keys))
        fresh[device] = fresh[device].subtracting(lost).union(new)
        for other in inbound.indices { inbound[other].subtract(lost) }
        givenUp.formUnion(lost)
        givenUp.subtract(new)
        gone.subtract(new)
        written.formUnion(new)
        for word in new { (leaving[word], writers[word]) = (nil, (writers[word] ?? []).union([device])) }
        // Who changes something before it hears of a removal may bring back what was removed.
        leaving = leaving.filter { $0.value.by == device || !$0.value.waiting.contains(device) }
        let others = Set(fresh.indices).subtracting([device])
        if knowsAll(device) {
            for word in Self.once(lost) { leaving[word] = Leaving(by: device, waiting: others) }
        }
        changed[device] += 1
    }

    /// What a device has lost by synchronising, or shows from nowhere.
    mutating func fault(ofSynchronising device: Int, before: Set<String>, after: Set<String>) -> String? {
        var fault: String?
        // A program may write on into what was given up, and nobody has heard of that yet.
        let untold = fresh.indices.filter { $0 != device }.reduce(into: Set<String>()) { $0.formUnion(fresh[$1]) }
        let lost = Self.once(before.subtracting(after)).subtracting(givenUp).subtracting(untold)
        if !lost.isEmpty { fault = "device \(device) loses \(lost.sorted())" }
        // A text that was there before may be no edit at all beside one of somebody else.
        let unsaved = Self.once(fresh[device]).subtracting(after)
        if !unsaved.isEmpty { fault = "device \(device) loses its own \(unsaved.sorted())" }
        let unseen = Self.once(inbound[device]).subtracting(after).filter { writers[$0]?.count == 1 }
        if !unseen.isEmpty { fault = "device \(device) does not get \(unseen.sorted())" }
        let back = gone.union(heard(by: device)).intersection(after)
        if !back.isEmpty { fault = "device \(device) shows \(back.sorted()) again" }
        inbound[device] = []
        for other in inbound.indices where other != device { inbound[other].formUnion(fresh[device]) }
        fresh[device] = []
        (told[device], heardOf[device]) = (changed[device], told)
        return fault
    }

    /// The words whose removal a device hears of when it synchronises.
    private mutating func heard(by device: Int) -> Set<String> {
        var heard: Set<String> = []
        for (word, state) in leaving {
            if state.by == device { leaving[word]?.isPublished = true }
            guard state.isPublished, leaving[word]?.waiting.remove(device) != nil else { continue }
            heard.insert(word)
            guard leaving[word]?.waiting.isEmpty == true else { continue }
            leaving[word] = nil
            gone.insert(word)
        }
        return heard
    }

    func fault(atTheEnd words: Set<String>) -> String? {
        let lost = Self.once(written).subtracting(givenUp).subtracting(words)
        return lost.isEmpty ? nil : "lost: \(lost.sorted())"
    }
}
