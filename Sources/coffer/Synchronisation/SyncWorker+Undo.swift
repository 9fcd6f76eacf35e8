internal import Format
internal import Foundation
internal import Sync
internal import Vault
internal import VaultFileSystem

/// What other devices have done: telling it, and taking it back.
extension SyncWorker {
    /// Shuts a device out, unless that was done before, and undoes what it did: so what was cut off is done again by the same
    /// command.
    func revoke(_ name: String, undoing since: UndoSince, _ secret: Secret) async throws -> SyncOutcome {
        let session = try current()
        // The password is asked for where nothing is left to be revoked, too.
        _ = try adminKey(secret)
        // Another device may have shut it out, or undone a part, meanwhile. What does not work is met below.
        let report = try? await engine(session) { (engine) async throws(SyncError) in try await engine.sync() }
        try Task.checkCancellation()
        if let report { await note(report, session) }
        var outcome = SyncOutcome()
        let known = try? await find(name, session, allowsRevoked: true)
        if known?.isRevoked != true { outcome = try await revoke(name, secret) }
        let device = try await find(name, session, allowsRevoked: true)
        let undone = try await engine(session) { (engine) async throws(SyncError) in
            try await engine.undo(device.identifier, from: since.start)
        }
        outcome.undo = UndoView(undone, of: try settings().label(of: device), await devices(session))
        do {
            await note(
                try await engine(session) { (engine) async throws(SyncError) in try await engine.sync() }, session)
        } catch let failure as Failure {
            outcome.notes.append("What was undone is not sent yet: \(failure.message)")
            outcome.notes.append("It goes out with the next `coffer sync`.")
        }
        return outcome
    }

    /// A part of what a device has done here, the latest first.
    func history(of name: String, before place: HistoryPart.Place?) async throws -> SyncOutcome {
        let session = try current()
        let device = try await find(name, session, allowsRevoked: true)
        let (deeds, begin) = try await engine(session) { (engine) async throws(SyncError) in
            let last = place.map { DeviceDeed.Place(row: $0.row, index: $0.index) }
            return (
                try await engine.deeds(of: device.identifier, before: last, most: HistoryPart.most),
                try await engine.deedsBegin()
            )
        }
        var part = HistoryPart(device: try settings().label(of: device), items: deeds.map { HistoryPart.Item($0) })
        part.isWhole = deeds.count < HistoryPart.most
        part.keptSince = begin.map { Moment.iso8601(Int($0)) }
        return SyncOutcome(history: part)
    }
}

/// From where on something is undone, as it goes to whoever has the vault open.
struct UndoSince: Codable, Sendable {
    /// In seconds since 1970.
    var time: Int64?
    var segment: UInt64?

    var start: UndoStart { segment.map { .segment($0) } ?? .time(time ?? 0) }
}

/// A part of what a device has done here.
struct HistoryPart: Codable, Sendable {
    struct Place: Codable, Sendable {
        var row: UInt64
        var index: Int
    }

    struct Item: Codable, Sendable {
        var place: Place
        var change: String
        var time: Int64
        var segment: UInt64
        var path: String
        var from: String?

        init(_ deed: DeviceDeed) {
            place = Place(row: deed.place.row, index: deed.place.index)
            (change, time, segment) = (deed.kind.rawValue, deed.time, deed.sequence)
            path = String(decoding: deed.path, as: UTF8.self)
            from = deed.from.map { String(decoding: $0, as: UTF8.self) }
        }
    }

    static let most = 500

    var device: String
    var items: [Item]
    /// Nothing comes behind it.
    var isWhole = true
    var keptSince: String?

    /// Leaves out half; false where there is nothing to leave out.
    mutating func shorten() -> Bool {
        guard items.count > 1 else { return false }
        items.removeLast((items.count + 1) / 2)
        isWhole = false
        return true
    }
}

/// What became of a device's edits: the JSON of `coffer devices revoke --undo-since --json`.
struct UndoView: Codable, Sendable {
    struct Left: Codable, Sendable {
        var path: String
        /// `editedSince`, `noVersion`, `notInTrash`, `folderInUse`, `notKnown`, `inUse`, `tooLarge` or `refused`.
        var reason: String
        /// Of what was edited since: who has done it.
        var by: String?
    }

    var device: String
    /// Entries that have their content from before.
    var restored = 0
    /// Out of the trash.
    var broughtBack = 0
    var movedBack = 0
    /// The device had made them; they are in the trash.
    var removed = 0
    /// Those with mode, owner or time from before.
    var attributes = 0
    var left: [Left] = []
    /// More that stay than are listed.
    var notListed = 0
    /// What came before that is not known here; nil where it is all known.
    var knownSince: String?

    init(_ report: UndoReport, of device: String, _ devices: [SyncOverview.Device]) {
        self.device = device
        func count(_ deed: UndoReport.Deed) -> Int { report.done[deed] ?? 0 }
        (restored, broughtBack, movedBack) = (count(.restored), count(.broughtBack), count(.movedBack))
        (removed, attributes) = (count(.removed), count(.attributes))
        left = report.left.map { left in
            let (reason, by) = UndoView.words(left.reason)
            let id = by?.hexadecimal
            return Left(
                path: String(decoding: left.path, as: UTF8.self), reason: reason,
                by: id.map { id in devices.first { $0.id == id }?.name ?? id })
        }
        notListed = report.notListed
        knownSince = report.knownSince.map { Moment.iso8601(Int($0)) }
    }

    private static func words(_ reason: UndoReport.Reason) -> (String, Identifier?) {
        switch reason {
        case .editedSince(let device): ("editedSince", device)
        case .noVersion: ("noVersion", nil)
        case .notInTrash: ("notInTrash", nil)
        case .folderInUse: ("folderInUse", nil)
        case .beforeTraces: ("notKnown", nil)
        case .inUse: ("inUse", nil)
        case .tooLarge: ("tooLarge", nil)
        case .refused: ("refused", nil)
        }
    }

    /// Leaves out half of what is listed; false where there is nothing to leave out.
    mutating func shorten() -> Bool {
        guard !left.isEmpty else { return false }
        let less = (left.count + 1) / 2
        left.removeLast(less)
        notListed += less
        return true
    }

    /// What was done, in a sentence.
    var sentence: String {
        func entries(_ count: Int, _ one: String, _ many: String) -> String? {
            count == 0 ? nil : count == 1 ? "1 entry \(one)" : "\(count) entries \(many)"
        }
        let done = [
            entries(restored, "has its content from before", "have their contents from before"),
            entries(broughtBack, "is back from the trash", "are back from the trash"),
            entries(movedBack, "is where it was", "are where they were"),
            entries(removed, "that it had made is in the trash", "that it had made are in the trash"),
            entries(attributes, "has its mode and time from before", "have their modes and times from before"),
        ].compactMap { $0 }
        let who = Console.printable(device)
        return done.isEmpty
            ? "There is nothing of \(who) to undo here." : "Undone what \(who) did: \(done.joined(separator: ", "))."
    }
}

extension UndoView.Left {
    var sentence: String {
        let name = Console.printable(path)
        return switch reason {
        case "editedSince": "\(name): changed since by \(by.map { Console.printable($0) } ?? "somebody"); it stays so"
        case "noVersion": "\(name): this device has no version of it from before; another one may"
        case "notInTrash": "\(name): it is in this device's trash no more; another one may have it"
        case "folderInUse": "\(name): something of others is in this folder, so it stays"
        case "notKnown": "\(name): written by it before this device kept what others do; look at it yourself"
        case "inUse": "\(name): a program is writing into it; do the same again later"
        case "tooLarge": "\(name): its version from before is too large for the other devices"
        default: "\(name): the vault refuses it"
        }
    }
}
