internal import CLinux
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

/// The process that has a vault open: it holds the flock(2) of the vault's file.
public struct VaultHolder: ~Copyable {
    private let end: FileDescriptor

    /// Takes hold of it; nil where no process has the vault open, or the kernel does not tell which. Not for a process
    /// that has it: see ``VaultFile``.
    public init?(of path: FilePath) {
        guard let end = VaultHolder.openProcess(holding: path) else { return nil }
        self.end = end
    }

    deinit { try? end.close() }

    /// Waits until the process has ended, and all its files are closed: only then can the medium that they lie on be
    /// unmounted.
    ///
    /// - Returns: false where it has not after that time.
    public borrowing func waitForEnd(milliseconds: Int32) -> Bool {
        var end = pollfd(fd: end.rawValue, events: Int16(POLLIN), revents: 0)
        while true {
            let count = unsafe poll(&end, 1, milliseconds)
            if count >= 0 || Glibc.errno != EINTR { return count > 0 }
        }
    }

    /// A pidfd_open(2) of the process.
    private static func openProcess(holding path: FilePath) -> FileDescriptor? {
        guard let file = try? FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking]) else {
            return nil
        }
        defer { try? file.close() }
        guard let found = process(of: file) else { return nil }
        let number = pidfd_open(found, 0)
        guard number >= 0 else { return nil }
        // It may have ended, and its number been given to another process, before there was a descriptor of it.
        guard process(of: file) == found else {
            close(number)
            return nil
        }
        return FileDescriptor(rawValue: number)
    }

    /// From /proc/locks (proc(5)): `2: FLOCK  ADVISORY  WRITE 4711 fe:00:16222004 0 EOF`, the process, and the file by
    /// device and inode. Some file systems tell stat(2) of another device: nil then.
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
