internal import Foundation
internal import Glibc
public import SystemPackage

extension Vault {
    /// Overwrites a vault's file, in which the wrapped keys are, and removes it with all that is beside it and of it.
    ///
    /// What that is worth depends on the disk: flash memory and file systems that write elsewhere keep the old blocks until
    /// they use them again. Those are ciphertext, and open with the master password.
    ///
    /// - Throws: ``VaultError/inUse`` while a process has it open; `io` where something could not be removed: then the file
    ///   is overwritten already, or not touched.
    public static func erase(at path: FilePath, stateDirectory: FilePath) throws(VaultError) {
        let file = try VaultFile(path: path, stateDirectory: stateDirectory)
        defer { file.unlock() }
        let names = try names(besides: path)
        do throws(Errno) {
            // The keys go first: without them the rest is nothing.
            try overwrite(path)
            for name in names where name != path { try remove(name) }
            try remove(path)
            try Durability.synchronizeNames(beside: path)
        } catch {
            throw .io(error, "removing the vault \(path)")
        }
    }

    /// The vault's own files: those that its name and one of its endings make, and older ones that were set aside.
    private static func names(besides path: FilePath) throws(VaultError) -> [FilePath] {
        guard let base = path.lastComponent?.string else { return [] }
        let folder = path.removingLastComponent()
        let found: [String]
        do {
            found = try FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "." : folder.string)
        } catch {
            throw .io(.ioError, "reading the folder of \(path)")
        }
        return found.filter { name in
            let form = #/(-wal|-redo|-reserve|-chunks|-shm|-journal)?(\.old[0-9]*|\.restored)?/#
            return name.hasPrefix(base) && name.dropFirst(base.count).wholeMatch(of: form) != nil
        }.map { folder.appending($0) }
    }

    private static func remove(_ path: FilePath) throws(Errno) {
        guard unsafe path.withPlatformString({ unsafe Glibc.unlink($0) }) == 0 || errno == ENOENT else {
            throw Errno(rawValue: errno)
        }
    }

    private static func overwrite(_ path: FilePath) throws(Errno) {
        do {
            let file = try FileDescriptor.open(path, .writeOnly, options: [.noFollow, .closeOnExec])
            defer { try? file.close() }
            var status = stat()
            guard unsafe fstat(file.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
            let zeroes = [UInt8](repeating: 0, count: 1 << 20)
            var offset: Int64 = 0
            while offset < status.st_size {
                let start = offset
                let count = Int(min(Int64(zeroes.count), Int64(status.st_size) - start))
                let written = try unsafe zeroes.withUnsafeBytes { bytes in
                    unsafe try file.write(
                        toAbsoluteOffset: start, UnsafeRawBufferPointer(rebasing: bytes[..<count]))
                }
                offset += Int64(written)
            }
            guard fsync(file.rawValue) == 0 else { throw Errno(rawValue: errno) }
        } catch {
            throw error as? Errno ?? .ioError
        }
    }
}
