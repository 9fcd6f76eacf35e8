internal import Format

/// What a device has done here from some point on, as the traces have it: what is to be undone.
struct Undoing: Sendable {
    let device: Identifier
    /// When the first of it was learned here.
    private var start: Int64
    /// It may have done more than is known here.
    var isPartial = false
    /// The stamps of its changes.
    private(set) var stamps: Set<Stamp> = []
    /// The latest last.
    private(set) var made: [Identifier] = []
    private(set) var hasMade: Set<Identifier> = []
    private(set) var removed: [Identifier] = []
    /// The lineages of ``removed``, by which what was in a folder finds it.
    private(set) var folders: [Identifier: Identifier] = [:]
    private(set) var moved: [Identifier] = []
    private(set) var contents: [Identifier] = []
    private(set) var attributes: [Identifier] = []
    private(set) var beside: [(lineage: Identifier, stamp: Stamp)] = []
    /// Where an entry stood before each change, the latest last.
    private(set) var places: [Identifier: [Trace.Place]] = [:]
    private(set) var attributesBefore: [Identifier: [Trace.Attributes]] = [:]
    /// Lineages that had no bytes before.
    private(set) var wasEmpty: Set<Identifier> = []
    private var seen: Set<Task> = []
    /// The least number of a segment of the device that there is something of.
    private(set) var firstSequence: UInt64?

    /// One step, small enough to be tried by itself.
    enum Task: Hashable, Sendable {
        case remove(entry: Identifier)
        /// A folder that may still have something in it: it stays for now.
        case removeFolder(entry: Identifier)
        case bringBack(entry: Identifier)
        case moveBack(entry: Identifier)
        case restore(lineage: Identifier)
        case setAttributes(lineage: Identifier)
        case removeCopy(lineage: Identifier, stamp: Stamp)
    }

    init(_ device: Identifier, from start: UndoStart) {
        self.device = device
        self.start = .max
        if case .time(let time) = start { self.start = time }
    }

    /// Takes in a section of the traces, in their order.
    mutating func add(_ section: TraceSection, from first: UndoStart) {
        if section.author == device { firstSequence = firstSequence ?? section.sequence }
        switch first {
        case .time(let time): guard section.time >= time else { return }
        // Traces that came with a snapshot have no number: what came after the segment counts.
        case .segment(let number):
            guard section.author == device ? section.sequence >= number : section.time >= start else { return }
            start = min(start, section.time)
        }
        for trace in section.traces where section.author == device || trace.stamp.device == device { add(trace) }
    }

    private mutating func add(_ trace: Trace) {
        stamps.insert(trace.stamp)
        switch trace {
        case .made(let entry, _):
            made.append(entry)
            hasMade.insert(entry)
        case .moved(let entry, _, let place):
            places[entry, default: []].append(place)
            moved.append(entry)
        case .removed(let entry, let lineage, _, let place):
            places[entry, default: []].append(place)
            folders[lineage] = entry
            removed.append(entry)
        case .attributes(let lineage, _, let before):
            attributesBefore[lineage, default: []].append(before)
            attributes.append(lineage)
        case .content(let lineage, _, let before, let isEmpty):
            // The first one says what there was.
            if isEmpty, !stamps.contains(before) { wasEmpty.insert(lineage) }
            contents.append(lineage)
        case .beside(let lineage, let stamp): beside.append((lineage, stamp))
        }
    }

    func isTheirs(_ stamp: Stamp) -> Bool { stamps.contains(stamp) }

    /// Where an entry stood before the device touched it.
    func place(of entry: Identifier) -> Trace.Place? { places[entry]?.last { !isTheirs($0.stamp) } }

    func attributes(of lineage: Identifier) -> Trace.Attributes? {
        attributesBefore[lineage]?.last { !isTheirs($0.stamp) }
    }

    /// What is done, in this order. What the device has made makes room first, then what it removed or moved comes back, and
    /// at last contents are restored where they are shown.
    mutating func phases() -> [[Task]] {
        [
            unique(made.reversed().map { .remove(entry: $0) }), unique(removed.map { .bringBack(entry: $0) }),
            unique(moved.reversed().map { .moveBack(entry: $0) }),
            unique(made.reversed().map { .removeFolder(entry: $0) }),
            unique(contents.map { .restore(lineage: $0) }), unique(attributes.map { .setAttributes(lineage: $0) }),
            unique(beside.map { .removeCopy(lineage: $0.lineage, stamp: $0.stamp) }),
        ]
    }

    private mutating func unique(_ tasks: [Task]) -> [Task] { tasks.filter { seen.insert($0).inserted } }
}
