internal import Foundation
internal import Glibc
public import SystemPackage

extension Vault {
    /// What a vault's file tells without the key.
    public enum FileState: Sendable, Equatable {
        case closed
        /// A process has the vault open, mounted or not; nil where the kernel does not tell which.
        case open(by: Int32?)
    }

    /// - Throws: `notFound`, `notAVault`, `newerFormat`, `damaged` where the file's end is missing, `io`.
    public static func state(of path: FilePath) throws(VaultError) -> FileState { try VaultFile.state(of: path) }
}

/// Who holds a file's flock(2), from /proc/locks (proc(5)).
enum LockHolder {
    /// `2: FLOCK  ADVISORY  WRITE 4711 fe:00:16222004 0 EOF`: the process, and the file by device and inode. Some file
    /// systems tell stat(2) of another device: nil then.
    static func process(of file: FileDescriptor) -> Int32? {
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0,
            let table = try? String(contentsOfFile: "/proc/locks", encoding: .utf8)
        else { return nil }
        let device = UInt64(status.st_dev)
        let (major, minor) = (device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00)
        let name = String(format: "%02llx:%02llx:%llu", major, minor, UInt64(status.st_ino))
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 5, fields[1] == "FLOCK", fields[3] == "WRITE", fields[5] == name else { continue }
            return Int32(fields[4]).flatMap { $0 > 0 ? $0 : nil }
        }
        return nil
    }
}
