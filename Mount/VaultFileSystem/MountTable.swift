internal import Foundation
internal import Fuse
internal import Glibc
public import SystemPackage
internal import Vault

/// The vaults that are mounted, from /proc/self/mountinfo (proc(5)): no registry that could be out of date.
public enum MountTable {
    /// One mounted vault.
    public struct Mount: Sendable, Equatable {
        public let directory: FilePath
        /// The vault's file.
        public let vault: FilePath
        /// The file system's device number, as stat(2) has it.
        let device: UInt64
        /// Who mounted it.
        let user: UInt32
    }

    /// What becomes of a mount.
    public enum State: Sendable {
        case served
        /// Its process locks the vault now, and ends.
        case locking
        /// Its process is gone, and has left it.
        case dead
        /// Its process does not answer.
        case silent
    }

    /// All mounts that this user made. Anybody can make one that has the name of a vault, and would be asked for its
    /// secrets, and given its password.
    public static func mounts() -> [Mount] { all().filter { $0.user == getuid() } }

    /// Those of other users, too.
    static func all() -> [Mount] {
        guard let text = read("/proc/self/mountinfo") else { return [] }
        return text.split(separator: 0x0A).compactMap { mount($0) }
    }

    private static func mount(_ line: ArraySlice<UInt8>) -> Mount? {
        let fields = line.split(separator: 0x20)
        guard let dash = fields.firstIndex(where: { $0.elementsEqual([0x2D]) }), dash + 2 < fields.count, dash > 4,
            fields[dash + 1].elementsEqual("fuse.coffer".utf8), dash + 3 < fields.count,
            let user = fields[dash + 3].split(separator: 0x2C).compactMap(user).first, let device = device(fields[2])
        else { return nil }
        return Mount(directory: path(fields[4]), vault: path(fields[dash + 2]), device: device, user: user)
    }

    /// `0:57`, as stat(2) has it (makedev(3)).
    private static func device(_ field: ArraySlice<UInt8>) -> UInt64? {
        let numbers = field.split(separator: 0x3A).compactMap { UInt32(String(decoding: $0, as: UTF8.self)) }
        guard numbers.count == 2 else { return nil }
        let (major, minor) = (UInt64(numbers[0]), UInt64(numbers[1]))
        return (major & 0xFFF) << 8 | (major & ~0xFFF) << 32 | minor & 0xFF | (minor & ~0xFF) << 12
    }

    /// `user_id=1000`: who mounted it, as FUSE says.
    private static func user(_ option: ArraySlice<UInt8>) -> UInt32? {
        let name = Array("user_id=".utf8)
        guard option.starts(with: name) else { return nil }
        return UInt32(String(decoding: option.dropFirst(name.count), as: UTF8.self))
    }

    /// Blanks, tabs, line breaks and backslashes stand as octal escapes.
    private static func path(_ field: ArraySlice<UInt8>) -> FilePath {
        var bytes: [UInt8] = []
        var index = field.startIndex
        while index < field.endIndex {
            if field[index] == UInt8(ascii: "\\"), index + 3 < field.endIndex {
                let digits = field[(index + 1)...(index + 3)].map { Int($0) - 0x30 }
                bytes.append(UInt8(truncatingIfNeeded: digits[0] << 6 | digits[1] << 3 | digits[2]))
                index += 4
            } else {
                bytes.append(field[index])
                index += 1
            }
        }
        return FilePath(String(decoding: bytes, as: UTF8.self))
    }

    private static func read(_ path: FilePath) -> [UInt8]? {
        guard let descriptor = try? FileDescriptor.open(path, .readOnly, options: [.closeOnExec]) else { return nil }
        defer { try? descriptor.close() }
        return try? descriptor.readAll()
    }
}

extension FileDescriptor {
    /// The bytes up to the end of a file of unknown length.
    func readAll() throws -> [UInt8] {
        var all: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = try unsafe part.withUnsafeMutableBytes { unsafe try read(into: $0) }
            if count == 0 { return all }
            all += part[..<count]
        }
    }
}

extension MountTable.Mount {
    /// Locks the vault: returns when the mount is gone and its process has ended. A dead one is only taken away.
    ///
    /// - Parameter discarding: what cannot be saved is dropped.
    /// - Throws: `notSaved`; the vault is locked then only where that says so.
    public func lock(discarding: Bool = false) throws(MountError) {
        let state = state()
        guard state != .dead else { return clear() }
        guard state != .silent else { throw silence }
        let holder = VaultHolder(of: vault)
        var refusal: LockRefusal?
        if state == .served {
            let isDone = discarding ? try lockDiscarding() : false
            if !isDone { refusal = try askForLock() }
        }
        if let refusal, !refusal.isLocked { throw .notSaved(refusal) }
        try waitForEnd(holder)
        clear()
        if let refusal { throw .notSaved(refusal) }
    }

    /// Waits for one that locks already.
    func waitForLock() throws(MountError) {
        try waitForEnd(VaultHolder(of: vault))
        clear()
    }

    private func askForLock() throws(MountError) -> LockRefusal? {
        let answer: [UInt8]
        do {
            answer = try asking {
                // One read, which gives the whole answer: behind it the mount goes.
                var answer = [UInt8](repeating: 0, count: 1 << 17)
                // Reading it locks: a write would be refused by a read-only mount.
                let file = try openControl(.lock)
                // Closing may find the mount gone, which is no error here.
                defer { try? file.close() }
                let count = try unsafe answer.withUnsafeMutableBytes { unsafe try file.read(into: $0) }
                return Array(answer[..<count])
            }
        } catch let error as MountError {
            throw error
        } catch Errno.permissionDenied {
            throw .notYours(directory)
        } catch {
            // Somebody else was faster, or it has ended.
            return nil
        }
        return try? JSONDecoder().decode(LockRefusal.self, from: Data(answer))
    }

    /// Waits as long as the process may have to write; where the kernel does not tell of it, for the vault's lock.
    private func waitForEnd(_ holder: consuming VaultHolder?) throws(MountError) {
        let limit: Int32 = 60_000
        switch consume holder {
        case .some(let holder):
            guard holder.waitForEnd(milliseconds: limit) else { throw .stillLocking(directory) }
        case .none:
            guard let file = try? FileDescriptor.open(vault, .readOnly, options: [.closeOnExec]) else { return }
            defer { try? file.close() }
            for _ in 0..<(limit / 5) {
                if flock(file.rawValue, LOCK_SH | LOCK_NB) == 0 { return }
                // flock(2) cannot wait for a bounded time.
                _ = poll(nil, 0, 5)
            }
            throw .stillLocking(directory)
        }
    }

    /// Takes away what a process that is gone has left.
    func clear() {
        if MountTable.mounts().contains(self), state() == .dead { Detaching.detach(directory.string) }
    }

    /// Opens a control file, and makes sure that it is one: an entry of the vault at its place would get what is meant for
    /// the vault's process, passwords among that. Only control files have their inodes' numbers, and only this mount has
    /// its device's.
    ///
    /// - Throws: ENOENT where something else stands there.
    func openControl(_ control: Controls.File, _ mode: FileDescriptor.AccessMode = .readOnly) throws -> FileDescriptor {
        let path = directory.appending(".coffer").appending("\(control)")
        // Without waiting, should it be a FIFO.
        let file = try FileDescriptor.open(path, mode, options: [.closeOnExec, .noFollow, .nonBlocking])
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0, status.st_ino == Controls.number(of: control),
            UInt64(status.st_dev) == device, status.st_mode & S_IFMT == S_IFREG
        else {
            try? file.close()
            throw Errno.noSuchFileOrDirectory
        }
        return file
    }

    /// The text of a control file.
    public func readControl(_ name: String) throws(MountError) -> [UInt8] {
        do {
            return try asking {
                guard let control = Controls.File.allCases.first(where: { "\($0)" == name }) else {
                    throw Errno.noSuchFileOrDirectory
                }
                let file = try openControl(control)
                return try file.closeAfter { try file.readAll() }
            }
        } catch let error as MountError {
            throw error
        } catch Errno.permissionDenied {
            throw .notYours(directory)
        } catch {
            throw .notResponding(directory, nil)
        }
    }
}
