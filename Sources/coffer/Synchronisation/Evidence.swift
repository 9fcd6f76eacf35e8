internal import Format
internal import Foundation
internal import Glibc
internal import Sync
internal import Synchronization
internal import SystemPackage
internal import Vault

/// What shows that a remote lied, kept outside of it and of the vault: a folder for each alarm, with ciphertext and names
/// of objects only, and within ``EvidenceBounds`` however often the alarm comes.
final class EvidenceFolder: Sendable {
    private let top: FilePath
    /// The folder of the run under way, once there is something to keep.
    private let current = Mutex<Folder?>(nil)

    private struct Folder {
        let path: FilePath
        /// What is in it.
        var objects = 0
        var bytes = 0
    }

    /// The most alarms of which something is kept. Then the oldest but the first goes: with that one it began.
    private static let foldersMost = 16

    init(of vault: Vault) {
        top = Directories.state.appending("coffer").appending("evidence").appending(vault.identifier.hexadecimal)
    }

    /// Keeps an object. The same one is met at each run while an alarm lasts, and is kept once.
    ///
    /// - Parameter name: the first one of a run says which alarm it is (`KIND-DEVICE-NUMBER.names`).
    func keep(_ bytes: [UInt8], as name: String) {
        let safe = name.replacingOccurrences(of: "/", with: "_")
        guard !safe.hasPrefix(".") else { return }
        current.withLock { current in
            guard var folder = current ?? known(safe) ?? made() else { return }
            defer { current = folder }
            let file = folder.path.appending(safe)
            let before = EvidenceFolder.size(of: file)
            // Of an object the name has the hash. What is said of the log changes, and is written over.
            guard before != bytes.count || FileManager.default.contents(atPath: file.string).map(Array.init) != bytes
            else { return }
            guard before != nil || folder.objects < EvidenceBounds.objectsMost,
                folder.bytes - (before ?? 0) + bytes.count <= EvidenceBounds.bytesMost
            else { return }
            EvidenceFolder.write(bytes, to: file)
            folder.objects += before == nil ? 1 : 0
            folder.bytes += bytes.count - (before ?? 0)
        }
    }

    /// Notes what a run has found, and begins anew for the next one.
    ///
    /// - Returns: the latest folder; nil where nothing was ever kept.
    func finish(_ text: String) -> String? {
        let used = current.withLock { current in
            defer { current = nil }
            return current?.path
        }
        if let used { EvidenceFolder.write(Array((text + "\n").utf8), to: used.appending("alarm.txt")) }
        return (used ?? folders.last.map { top.appending($0) }).map { $0.string }
    }

    /// By time.
    private var folders: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: top.string)) ?? []).sorted()
    }

    /// The folder of an alarm that was met before.
    private func known(_ name: String) -> Folder? {
        let found = folders.map { top.appending($0) }.last { EvidenceFolder.size(of: $0.appending(name)) != nil }
        guard let found else { return nil }
        var folder = Folder(path: found)
        for name in (try? FileManager.default.contentsOfDirectory(atPath: found.string)) ?? [] {
            folder.objects += 1
            folder.bytes += EvidenceFolder.size(of: found.appending(name)) ?? 0
        }
        return folder
    }

    private func made() -> Folder? {
        let before = folders
        if before.count >= EvidenceFolder.foldersMost {
            for name in before.dropFirst().prefix(before.count - EvidenceFolder.foldersMost + 1) {
                try? FileManager.default.removeItem(atPath: top.appending(name).string)
            }
        }
        let path = top.appending(EvidenceFolder.stamp())
        Ownership.makeDirectories(path)
        return FileManager.default.fileExists(atPath: path.string) ? Folder(path: path) : nil
    }

    /// In bytes; nil for what is no regular file.
    private static func size(of file: FilePath) -> Int? {
        var status = stat()
        guard unsafe lstat(file.string, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(status.st_size)
    }

    private static func write(_ bytes: [UInt8], to file: FilePath) {
        guard let descriptor = try? Ownership.open(file) else { return }
        _ = try? descriptor.closeAfter {
            try descriptor.writeAll(bytes)
            // What was there before may have been longer.
            _ = ftruncate(descriptor.rawValue, off_t(bytes.count))
        }
    }

    /// `2026-11-23T10-20-30.123`, in UTC: sorts by time.
    private static func stamp() -> String {
        let text = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        return String(text.replacingOccurrences(of: ":", with: "-").dropLast())
    }
}

/// Moments as people and scripts read them.
enum Moment {
    /// Seconds since 1970.
    static var now: Int { time(nil) }

    /// `2026-11-23T10:20:30Z`
    static func iso8601(_ seconds: Int) -> String {
        Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
    }

    /// Today here, as `2026-11-23`.
    static func today() -> String {
        var now = time(nil)
        var parts = unsafe tm()
        unsafe localtime_r(&now, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (year, month, day) = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
        return "\(year)-\(two(month))-\(two(day))"
    }
}

/// When the vault was last synchronised: the time of an empty file beside its counter, so that a later process knows.
enum LastSync {
    private static func path(_ vault: Vault) -> FilePath {
        Directories.state.appending("coffer").appending("\(vault.identifier.hexadecimal).synced")
    }

    static func note(_ vault: Vault) {
        guard let opened = try? Ownership.open(path(vault)) else { return }
        futimens(opened.rawValue, nil)
        try? opened.close()
    }

    static func moment(_ vault: Vault) -> String? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path(vault).string)
        return (attributes?[.modificationDate] as? Date)?.formatted(.iso8601)
    }
}

/// Tells cheaply whether anything can be new in a folder that is a remote: each push replaces a hint, which changes the
/// time of the hints' folder.
struct HintWatch: Sendable {
    private var last: [UInt8] = []
    /// Looks that still count as changed.
    private var remaining = 0

    /// Whether the folder looks another way than at the last call. What comes in the same tick of the clock as what was
    /// seen leaves the time as it is, and a tick is two seconds on some media: the two looks after a change count, too.
    mutating func hasChanged(_ folder: String) -> Bool {
        // As bytes: which module the members of a timespec belong to depends on the order of files.
        let seen = ["\(folder)/v1/head", "\(folder)/v1/log"].flatMap { path -> [UInt8] in
            var status = stat()
            guard unsafe stat(path, &status) == 0 else { return [0] }
            return unsafe withUnsafeBytes(of: &status.st_ino) { unsafe Array($0) }
                + withUnsafeBytes(of: &status.st_mtim) { unsafe Array($0) }
        }
        guard seen == last else {
            (last, remaining) = (seen, 2)
            return true
        }
        guard remaining > 0 else { return false }
        remaining -= 1
        return true
    }
}
