internal import Format
internal import Foundation
internal import Sync
internal import Vault
internal import VaultFileSystem

extension SyncError {
    /// The device whose log or database an alarm is about; nil for what is no alarm, or not about a device.
    func alarmedDevice(own: Identifier) -> Identifier? {
        switch self {
        case .rolledBack(let alarm), .forked(let alarm): alarm.device
        case .cloned: own
        default: nil
        }
    }

    fileprivate var object: String? {
        switch self {
        case .rolledBack(let alarm), .forked(let alarm): alarm.object
        default: nil
        }
    }
}

extension SyncOverview.Alarm {
    /// How many bytes of paths go with an alarm, so that it fits into an answer of the process behind the mount.
    private static let pathBytes = 4000

    init(
        _ message: String, _ error: SyncError, _ device: Identifier, _ context: AlarmContext,
        _ affected: AffectedEntries, _ vault: Vault
    ) {
        self.init(message: message)
        self.device = device.hexadecimal
        (object, evidence) = (error.object, context.evidence)
        lastRead = SyncSettings.read(vault)?.seen[device.hexadecimal].map { Moment.iso8601($0.seconds) }
        time = affected.saved.flatMap { Moment.iso8601($0) }
        isIncomplete = affected.isIncomplete
        var bytes = 0
        for entry in affected.entries {
            let path = vault.path(of: entry)
            bytes += path.utf8.count
            guard bytes <= Self.pathBytes else { break }
            entries.append(path)
        }
        notListed = affected.count - entries.count
    }

    /// What there is to say besides the message, in lines for people.
    var lines: [String] {
        var lines: [String] = []
        let count = entries.count + notListed
        if count > 0 {
            let number = count == 1 ? "1 entry is" : "\(count) entries are"
            let saved = time.map { "; the latest was saved at \($0)" } ?? ""
            lines.append("\(isIncomplete ? "At least " : "")\(number) concerned\(saved):")
            lines += entries.map { "  \(Console.printable($0))" }
            if notListed > 0 { lines.append("  … and \(notListed) more") }
        }
        if let lastRead { lines.append("Something new of that device was read here last at \(lastRead).") }
        return lines
    }
}

extension SyncSettings {
    /// Those that a vault keeps; nil where there are none.
    static func read(_ vault: Vault) -> SyncSettings? {
        guard let bytes = try? vault.syncSettings() else { return nil }
        return SyncSettings(bytes)
    }
}

extension Moment {
    /// nil for a moment that no calendar has: the clock that it comes from is another device's.
    fileprivate static func iso8601(_ time: Timestamp) -> String? {
        (0..<253_402_300_800).contains(time.seconds) ? iso8601(Int(time.seconds)) : nil
    }
}

extension Vault {
    /// Where an entry is, or was.
    fileprivate func path(of entry: AffectedEntries.Entry) -> String {
        if let path = path(ofEntry: entry.entry) { return path }
        let name = String(decoding: entry.name, as: UTF8.self)
        guard let directory = entry.directory.flatMap({ path(ofEntry: $0) }) else { return name }
        return "\(directory)/\(name)"
    }
}
