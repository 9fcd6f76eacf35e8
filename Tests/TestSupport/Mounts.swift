import Foundation

/// One line of the kernel's mount table.
public struct Mount: Sendable, Equatable {
    /// The kernel's number of the mount.
    public let identifier: Int
    /// Where it is mounted.
    public let directory: String
    /// The file system's type, for example `fuse.coffer`.
    public let type: String
    /// What is mounted there, in the words of the file system.
    public let source: String
    /// Options of the mount (`rw,nosuid,...`) and of the file system, joined by a comma.
    public let options: String

    /// All mounts that this process sees, in the order of mounting (proc(5), mountinfo).
    public static func all() throws -> [Mount] {
        try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8).split(separator: "\n").compactMap(parse)
    }

    /// Those whose directory is `path` or below it.
    public static func below(_ path: String) throws -> [Mount] {
        try all().filter { $0.directory == path || $0.directory.hasPrefix(path + "/") }
    }

    /// Whether somebody answers for it: the kernel passes on every question about the whole file system. The table is
    /// read again after the answer, which came from the folder below where the mount went meanwhile.
    public var isAlive: Bool {
        var status = statvfs()
        return unsafe statvfs(directory, &status) == 0 && (try? Mount.all().contains(self)) ?? false
    }

    /// For a script in a mount name space of its own, at its beginning: the vaults that other tests have mounted are in its
    /// copy of the table, and would live on there when they are unmounted.
    public static let leaveOthers = #"""
        table=$(cat /proc/self/mounts)
        printf '%s\n' "$table" | while read -r source place type rest; do
            case $type in
                fuse.coffer | fuse.test) umount -l "$(printf '%b' "$(printf '%s' "$place" | sed 's/\\0/\\00/g')")" || true ;;
            esac
        done
        """#

    /// Takes off everything mounted below `path`, the last mount first, whatever still uses it. Works for a
    /// mount whose daemon is dead too.
    public static func clear(below path: String) {
        for mount in ((try? below(path)) ?? []).reversed() {
            if unsafe umount2(mount.directory, Int32(MNT_DETACH)) == 0 { continue }
            _ = try? Command("fusermount3", ["-u", "-z", mount.directory]).run()
        }
    }

    /// `36 35 98:0 /root /directory options optional... - type source superoptions`
    private static func parse(_ line: Substring) -> Mount? {
        let fields = line.split(separator: " ")
        guard fields.count > 6, let number = Int(fields[0]), let dash = fields.firstIndex(of: "-"),
            fields.count > dash + 3
        else { return nil }
        return Mount(
            identifier: number, directory: unescape(fields[4]), type: String(fields[dash + 1]),
            source: unescape(fields[dash + 2]), options: "\(fields[5]),\(fields[dash + 3])")
    }

    /// The table writes space, tab, line feed and backslash as three octal digits.
    private static func unescape(_ field: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8) {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
