public import Format
internal import Sealing

/// Taking back what a device has done here: by edits of this device, which all others take in like any other.
extension SyncEngine {
    /// Undoes the edits of a device from some point on, as far as nobody has edited, moved or removed the same since. What is
    /// on top of them stays.
    ///
    /// In parts, each of which is kept or not: a run that was cut off is done again, and comes to the same. Nothing is sent;
    /// the next ``sync()`` does that.
    ///
    /// - Throws: ``SyncError/store(_:)`` with EINVAL for this device itself.
    public func undo(_ device: Identifier, from start: UndoStart) throws(SyncError) -> UndoReport {
        guard device != own else { throw .store(22) }
        try loadState()
        guard state.device == own else { throw .cloned }
        var report = UndoReport()
        var undoing = Undoing(device, from: start)
        let (rows, begin) = try replica.transaction { (replica) in (replica.traceRows, replica.tracesBegin) }
        for row in rows {
            let sections = try replica.transaction { (replica) throws(SyncError) in try replica.traces(row) }
            for section in sections { undoing.add(section, from: start) }
        }
        if let begin { undoing.isPartial = !knows(all: start, undoing, begin) }
        for phase in undoing.phases() {
            for part in stride(from: 0, to: phase.count, by: 256) {
                try checkCancellation()
                try undo(phase[part..<min(phase.count, part + 256)], undoing, &report)
            }
        }
        if let begin, undoing.isPartial {
            report.knownSince = begin
            try noteUnknown(undoing, &report)
        }
        return report
    }

    /// Whether everything from that point on is known here.
    private func knows(all start: UndoStart, _ undoing: Undoing, _ begin: Int64) -> Bool {
        switch start {
        case .time(let time): begin <= time
        case .segment(let number): undoing.firstSequence ?? .max <= number
        }
    }

    /// Does one part; what cannot be done alone is left, and said.
    private func undo(
        _ tasks: ArraySlice<Undoing.Task>, _ undoing: Undoing, _ report: inout UndoReport
    ) throws(SyncError) {
        let state = self.state
        let (before, all) = (report, Array(tasks))
        do throws(SyncError) {
            report = try replica.transaction { (replica) throws(SyncError) in
                var seen = state.seen
                seen[own] = nil
                let merge = Merge(
                    replica, own: own, author: own, seen: seen, applied: state.seen, top: keys.vault,
                    naming: naming(state))
                var undo = Undo(merge: merge, undoing: undoing, report: before)
                for task in all { try undo.perform(task) }
                try undo.merge.sweepAll()
                try undo.merge.moveCopies()
                return undo.report
            }
        } catch {
            guard error.isRefusal || error == .store(16) else { throw error }
            guard tasks.count > 1 else {
                let reason: UndoReport.Reason =
                    error == .store(16) ? .inUse : error == .store(27) ? .tooLarge : .refused
                report = try replica.transaction { (replica) throws(SyncError) in
                    var report = before
                    for task in all { report.note(try Paths(replica, top: keys.vault).path(of: task), reason) }
                    return report
                }
                return
            }
            let middle = tasks.startIndex + tasks.count / 2
            try undo(tasks[..<middle], undoing, &report)
            try undo(tasks[middle...], undoing, &report)
        }
    }

    /// Names what the device wrote last and of which nothing is known.
    private func noteUnknown(_ undoing: Undoing, _ report: inout UndoReport) throws(SyncError) {
        let top = keys.vault
        var waiting = try replica.transaction { (replica) throws(SyncError) in try replica.children(of: top) }
        while !waiting.isEmpty {
            try checkCancellation()
            let part = Array(waiting.suffix(512))
            waiting.removeLast(part.count)
            let before = report
            let (after, inside) = try replica.transaction { (replica) throws(SyncError) in
                var (report, inside) = (before, [Identifier]())
                for entry in part {
                    guard let register = try replica.entry(entry),
                        let lineage = try replica.lineage(register.placement.lineage)
                    else { continue }
                    if lineage.isDirectory { inside += try replica.children(of: register.placement.lineage) }
                    let stamp = lineage.heads.first ?? register.placement.stamp
                    guard stamp.device == undoing.device, !undoing.isTheirs(stamp) else { continue }
                    report.note(try Paths(replica, top: top).path(of: register), .beforeTraces)
                }
                return (report, inside)
            }
            report = after
            waiting += inside
        }
    }

    /// From now on it is known what others do; who is about to join does not begin yet.
    func beginTraces() throws(SyncError) {
        guard state.members[own] != nil else { return }
        try replica.transaction { (replica) throws(SyncError) in try replica.beginTraces() }
    }
}

/// Undoing, within one transaction.
private struct Undo<Replica: ReplicaTransaction> {
    var merge: Merge<Replica>
    let undoing: Undoing
    var report: UndoReport

    private var replica: Replica { merge.replica }
    private var paths: Paths<Replica> { Paths(replica, top: merge.top) }

    init(merge: Merge<Replica>, undoing: Undoing, report: UndoReport) {
        (self.merge, self.undoing, self.report) = (merge, undoing, report)
    }

    mutating func perform(_ task: Undoing.Task) throws(SyncError) {
        switch task {
        case .remove(let entry): try remove(entry, isLast: false)
        case .removeFolder(let entry): try remove(entry, isLast: true)
        case .bringBack(let entry): try bringBack(entry)
        case .moveBack(let entry): try moveBack(entry)
        case .restore(let lineage): try restore(lineage)
        case .setAttributes(let lineage): try setAttributes(lineage)
        case .removeCopy(let lineage, let stamp): try removeCopy(of: lineage, stamp)
        }
    }

    private mutating func leave(_ register: EntryRegister, _ reason: UndoReport.Reason) throws(SyncError) {
        report.note(try paths.path(of: register), reason)
    }

    // MARK: Entries

    /// What the device has made goes to the trash.
    ///
    /// - Parameter isLast: for folders, which wait until what was in them has gone back.
    private mutating func remove(_ entry: Identifier, isLast: Bool) throws(SyncError) {
        guard var register = try replica.entry(entry), let known = try replica.lineage(register.placement.lineage),
            !isLast || known.isDirectory
        else { return }
        guard register.isShown else { return isLast ? () : report.note(.removed) }
        let isEmpty = try replica.children(of: register.placement.lineage).isEmpty
        if known.isDirectory, !isEmpty { return try isLast ? leave(register, .folderInUse) : () }
        let stamps = try merge.versions(of: register.placement.lineage) + [register.asked]
        if let other = stamps.first(where: { !undoing.isTheirs($0) }) {
            return try leave(register, .editedSince(other.device))
        }
        register.isShown = false
        try merge.removeOwn(&register)
        report.note(.removed)
    }

    /// What the device has removed comes back, with the folders above it that it had removed as well.
    private mutating func bringBack(_ entry: Identifier) throws(SyncError) {
        // What the device had made itself stays away.
        guard undoing.place(of: entry) != nil else { return }
        var chain = [entry]
        while let last = chain.last, let parent = undoing.place(of: last)?.parent, let above = undoing.folders[parent],
            chain.count < 4096, !chain.contains(above), try replica.entry(above)?.isShown != true
        {
            chain.append(above)
        }
        for above in chain.dropFirst().reversed() { try show(above, counts: false) }
        try show(entry, counts: true)
    }

    private mutating func show(_ entry: Identifier, counts: Bool) throws(SyncError) {
        var known = try replica.entry(entry)
        if known?.isShown == true { return counts ? report.note(.broughtBack) : () }
        if known == nil {
            known = try replica.trashed(entry).map { EntryRegister(placement: $0, isShown: false) }
        }
        guard var register = known, try replica.lineage(register.placement.lineage) != nil else {
            if counts, let place = undoing.place(of: entry) { report.note(try paths.path(of: place), .notInTrash) }
            return
        }
        let live = try merge.versions(of: register.placement.lineage)
        let others = register.removals.filter { removal in
            !undoing.isTheirs(removal.stamp) && live.allSatisfy { removal.saw.contains($0) }
        }
        if let other = others.first {
            return try counts ? leave(register, .editedSince(other.stamp.device)) : ()
        }
        if undoing.isTheirs(register.asked), let place = undoing.place(of: entry) {
            (register.placement.parent, register.placement.name) = (place.parent, place.name)
        }
        try merge.makeOwn(&register)
        // Others may have nothing left of it.
        try replica.noteOwn(.whole(register.placement.lineage))
        try makeRoom(for: register.placement)
        try merge.place(register)
        if counts { report.note(.broughtBack) }
    }

    private mutating func moveBack(_ entry: Identifier) throws(SyncError) {
        guard var register = try replica.entry(entry), register.isShown, let place = undoing.place(of: entry) else {
            return
        }
        if (register.placement.parent, register.placement.name) == (place.parent, place.name) {
            return report.note(.movedBack)
        }
        guard undoing.isTheirs(register.asked) else {
            return try leave(register, .editedSince(register.asked.device))
        }
        (register.placement.parent, register.placement.name) = (place.parent, place.name)
        try merge.makeOwn(&register)
        try makeRoom(for: register.placement)
        try merge.place(register)
        report.note(.movedBack)
    }

    /// A folder that the device has made steps aside: it would become one with the one that comes back. It goes once it is
    /// empty.
    private mutating func makeRoom(for placement: EntryChange) throws(SyncError) {
        guard let standing = try replica.entry(in: placement.parent, named: placement.name),
            standing != placement.entry, undoing.hasMade.contains(standing), var other = try replica.entry(standing),
            undoing.isTheirs(other.asked)
        else { return }
        other.placement.name = try merge.freeName(other)
        try merge.settle(&other)
        try merge.show(other)
    }

    // MARK: Contents

    /// The latest version that is not the device's is the content again.
    private mutating func restore(_ lineage: Identifier) throws(SyncError) {
        guard let known = try replica.lineage(lineage), let register = try shown(lineage) else { return }
        let undoing = undoing
        let before = try replica.earlier(of: lineage) { !undoing.isTheirs($0) }
        if let other = known.heads.first(where: { !undoing.isTheirs($0) }) {
            let isDone =
                before.map { $0.content.reference.isSame(as: known.content) }
                ?? (undoing.wasEmpty.contains(lineage) && known.content.size == 0)
            return try isDone ? report.note(.restored) : leave(register, .editedSince(other.device))
        }
        var content: ContentChange
        if let before {
            content = before.content
            content.stamp = replica.nextStamp()
            content.replaces = Array(known.heads.prefix(Limits.stamps))
        } else if undoing.wasEmpty.contains(lineage) {
            content = try replica.seal(PlainBuffer(capacity: 0), for: lineage, replaces: known.heads)
        } else {
            return try leave(register, .noVersion)
        }
        try replica.put(content, heads: [content.stamp], rivals: known.rivals)
        try replica.noteOwn(.lineage(lineage))
        report.note(.restored)
        // It may be of after that point, too.
        if undoing.isPartial, before?.content.stamp.device == undoing.device { try leave(register, .beforeTraces) }
    }

    /// The first entry of a lineage that is shown; nil also for what the device has made, which is dealt with.
    private func shown(_ lineage: Identifier) throws(SyncError) -> EntryRegister? {
        var found: EntryRegister?
        for entry in try replica.entries(of: lineage).sorted() {
            if undoing.hasMade.contains(entry) { return nil }
            if found == nil, let register = try replica.entry(entry), register.isShown { found = register }
        }
        return found
    }

    private mutating func setAttributes(_ lineage: Identifier) throws(SyncError) {
        guard var attributes = try replica.lineage(lineage)?.attributes, let before = undoing.attributes(of: lineage),
            undoing.isTheirs(attributes.stamp), (before.mode ^ attributes.mode) & 0o170000 == 0
        else { return }
        (attributes.mode, attributes.owner, attributes.group) = (before.mode, before.owner, before.group)
        (attributes.ownedByMounter, attributes.groupOfMounter) = (before.ownedByMounter, before.groupOfMounter)
        (attributes.modified, attributes.stamp) = (before.modified, replica.nextStamp())
        try replica.put(attributes)
        try replica.noteOwn(.lineage(lineage))
        report.note(.attributes)
    }

    /// The copy of a content that the device wrote without knowing of the present one, unless somebody has touched it.
    private mutating func removeCopy(of lineage: Identifier, _ stamp: Stamp) throws(SyncError) {
        guard var copy = try replica.entry(Copy(of: lineage, stamp).entry), copy.isShown, copy.isUntouchedCopy else {
            return try nameMerge(of: lineage, stamp)
        }
        copy.isShown = false
        try merge.removeOwn(&copy)
        report.note(.removed)
    }
}

extension Undo {
    /// Another device has merged the edit with its own.
    private mutating func nameMerge(of lineage: Identifier, _ stamp: Stamp) throws(SyncError) {
        guard let register = try shown(lineage), let heads = try replica.lineage(lineage)?.heads,
            let other = heads.first(where: { !undoing.isTheirs($0) }),
            try replica.content(of: lineage)?.replaces.contains(stamp) == true
        else { return }
        try leave(register, .editedSince(other.device))
    }
}

extension ContentReference {
    /// Whether both are the same sealed bytes.
    fileprivate func isSame(as other: ContentReference) -> Bool {
        kind == other.kind && size == other.size && (kind == .none || seal == other.seal)
    }
}

/// What entries are called, from the top of the vault.
struct Paths<Replica: ReplicaTransaction> {
    let replica: Replica
    let top: Identifier

    init(_ replica: Replica, top: Identifier) { (self.replica, self.top) = (replica, top) }

    func path(of task: Undoing.Task) throws(SyncError) -> [UInt8] {
        switch task {
        case .remove(let entry), .removeFolder(let entry), .bringBack(let entry), .moveBack(let entry):
            try path(ofEntry: entry)
        case .restore(let lineage), .setAttributes(let lineage): try path(ofLineage: lineage)
        case .removeCopy(let lineage, let stamp): try path(ofEntry: Copy(of: lineage, stamp).entry)
        }
    }

    func path(ofEntry entry: Identifier) throws(SyncError) -> [UInt8] {
        if let register = try replica.entry(entry) { return try path(of: register) }
        guard let known = try replica.trashed(entry) else { return [] }
        return try path(in: known.parent, known.name)
    }

    /// That of its first name that is shown, or else of the first.
    func path(ofLineage lineage: Identifier) throws(SyncError) -> [UInt8] {
        var first: EntryRegister?
        for entry in try replica.entries(of: lineage).sorted() {
            guard let register = try replica.entry(entry) else { continue }
            if register.isShown { return try path(of: register) }
            first = first ?? register
        }
        return try first.map { (register) throws(SyncError) in try path(of: register) } ?? []
    }

    func path(of register: EntryRegister) throws(SyncError) -> [UInt8] {
        try path(in: register.placement.parent, register.placement.name)
    }

    func path(of place: Trace.Place) throws(SyncError) -> [UInt8] { try path(in: place.parent, place.name) }

    private func path(in directory: Identifier, _ name: [UInt8]) throws(SyncError) -> [UInt8] {
        var (path, walk, steps) = (name, directory, 0)
        while walk != top, steps < 4096 {
            guard let entry = try replica.entries(of: walk).first, let above = try replica.entry(entry) else { break }
            path = above.placement.name + [0x2F] + path
            (walk, steps) = (above.placement.parent, steps + 1)
        }
        return path
    }
}
