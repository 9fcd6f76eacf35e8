internal import Format
internal import Foundation
internal import Glibc
internal import Synchronization
internal import SystemPackage
internal import Vault

/// What shows that a remote lied, kept outside of it and of the vault: a folder for each alarm, with ciphertext and names
/// of objects only.
final class EvidenceFolder: Sendable {
    private let top: FilePath
    /// The folder of the run under way, once there is something to keep.
    private let folder = Mutex<FilePath?>(nil)

    init(of vault: Vault) {
        top = Directories.state.appending("coffer").appending("evidence").appending(vault.identifier.hexadecimal)
    }

    /// Keeps an object. The same one is met at each run while an alarm lasts, and is kept once.
    func keep(_ bytes: [UInt8], as name: String) {
        let safe = name.replacingOccurrences(of: "/", with: "_")
        guard !safe.hasPrefix("."), !isKept(safe, bytes) else { return }
        folder.withLock { folder in
            if folder == nil { folder = made() }
            if let folder { EvidenceFolder.write(bytes, to: folder.appending(safe)) }
        }
    }

    /// Notes what a run has found, and begins anew for the next one.
    ///
    /// - Returns: the latest folder; nil where nothing was ever kept.
    func finish(_ text: String) -> String? {
        let made = folder.withLock { folder in
            defer { folder = nil }
            return folder
        }
        if let made { EvidenceFolder.write(Array((text + "\n").utf8), to: made.appending("alarm.txt")) }
        return (made ?? last).map { $0.string }
    }

    private var last: FilePath? {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: top.string)) ?? []
        return names.max().map { top.appending($0) }
    }

    private func isKept(_ name: String, _ bytes: [UInt8]) -> Bool {
        guard let file = (folder.withLock { $0 } ?? last)?.appending(name) else { return false }
        return FileManager.default.contents(atPath: file.string).map { Array($0) } == bytes
    }

    private func made() -> FilePath? {
        let folder = top.appending(EvidenceFolder.stamp())
        Ownership.makeDirectories(folder)
        return FileManager.default.fileExists(atPath: folder.string) ? folder : nil
    }

    private static func write(_ bytes: [UInt8], to file: FilePath) {
        guard let descriptor = try? Ownership.open(file) else { return }
        _ = try? descriptor.closeAfter { try descriptor.writeAll(bytes) }
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
