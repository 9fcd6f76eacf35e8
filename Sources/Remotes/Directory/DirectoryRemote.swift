internal import Glibc
public import Sync
internal import Synchronization
internal import SystemPackage

/// A remote that is a folder: on this machine, on a disk that is plugged in, on NFS, or one that Syncthing carries.
///
/// Files appear whole or not at all, since they are written beside and then linked, and what returned is on the disk.
/// No symbolic link below the folder is followed. All that is not a regular file or a folder with a name of ours is
/// passed over.
public final class DirectoryRemote: Remote {
    private let path: String
    private let createsFolder: Bool
    private let patience: Patience?
    private let threads = Blocking()
    /// Folders whose names are on the disk and that were looked through for left-over files.
    private let known = Mutex<Set<RemotePath>>([])

    /// - Parameters:
    ///   - path: the folder, absolute.
    ///   - createsFolder: makes the folder itself too (not those above it). Without it a folder that is missing is an
    ///     error, because it most often means that a disk is not plugged in or a server not mounted.
    ///   - patience: told of each object that is through.
    public init(path: String, createsFolder: Bool = false, patience: Patience? = nil) {
        self.path = path
        (self.createsFolder, self.patience) = (createsFolder, patience)
    }

    public func list(_ folder: RemotePath) async throws(RemoteError) -> [RemoteItem] {
        try await threads.run { (_) throws(RemoteError) in
            guard let open = try self.open(folder) else { return [] }
            return try self.explaining(folder) { () throws(Errno) in try open.items() }
        }
    }

    public func read(_ paths: [RemotePath], limit: Int) async throws(RemoteError) -> [RemoteBytes] {
        try await threads.run { (cancellation) throws(RemoteError) in
            var answers: [RemoteBytes] = []
            for path in paths {
                try cancellation.check()
                let (folder, name) = try path.objectParts()
                guard let open = try self.open(folder) else {
                    answers.append(.missing)
                    continue
                }
                answers.append(try self.explaining(path) { () throws(Errno) in try open.read(name, limit: limit) })
                self.patience?.note()
            }
            return answers
        }
    }

    public func create(_ objects: [RemoteObject]) async throws(RemoteError) {
        try await threads.run { (cancellation) throws(RemoteError) in
            for (folder, objects) in try self.byFolder(objects) {
                let open = try self.make(folder)
                for (name, object) in objects {
                    try cancellation.check()
                    try self.explaining(object.path) { () throws(Errno) in try open.create(name, object.bytes) }
                    self.patience?.note()
                }
                try self.explaining(folder) { () throws(Errno) in try open.synchronize() }
            }
        }
    }

    public func replace(_ hint: RemoteObject) async throws(RemoteError) {
        try await threads.run { (_) throws(RemoteError) in
            let (folder, name) = try hint.path.objectParts()
            let open = try self.make(folder)
            try self.explaining(hint.path) { () throws(Errno) in
                try open.replace(name, hint.bytes)
                try open.synchronize()
            }
        }
    }

    public func remove(_ paths: [RemotePath]) async throws(RemoteError) {
        try await threads.run { (cancellation) throws(RemoteError) in
            for path in paths {
                try cancellation.check()
                let (folder, name) = try path.objectParts()
                guard let open = try self.open(folder) else { continue }
                try self.explaining(path) { () throws(Errno) in try open.remove(name) }
                self.patience?.note()
            }
        }
    }

    /// The objects of each folder with their names, in the order they came.
    private func byFolder(
        _ objects: [RemoteObject]
    ) throws(RemoteError) -> [(RemotePath, [(String, RemoteObject)])] {
        var order: [RemotePath] = []
        var groups: [RemotePath: [(String, RemoteObject)]] = [:]
        for object in objects {
            let (folder, name) = try object.path.objectParts()
            if groups[folder] == nil { order.append(folder) }
            groups[folder, default: []].append((name, object))
        }
        return order.map { ($0, groups[$0] ?? []) }
    }
}

// MARK: Folders

extension DirectoryRemote {
    private func top() throws(RemoteError) -> Folder {
        do {
            return try Folder.top(path)
        } catch .noSuchFileOrDirectory {
            guard createsFolder else {
                throw .unreachable("there is no folder \(path): is its disk plugged in, its server mounted?")
            }
        } catch .notDirectory {
            throw .unreachable("\(path) is not a folder")
        } catch {
            throw failure(error, path)
        }
        do throws(Errno) {
            _ = try answer { unsafe mkdir(path, 0o777) }
            return try Folder.top(path)
        } catch {
            throw failure(error, path)
        }
    }

    /// nil where there is no such folder.
    private func open(_ folder: RemotePath) throws(RemoteError) -> Folder? {
        var open = try top()
        for component in folder.components {
            do throws(Errno) {
                guard let next = try open.folder(component) else { return nil }
                open = next
            } catch {
                throw failure(error, "\(path)/\(folder)")
            }
        }
        return open
    }

    /// Opens a folder and makes what is missing of it. Each folder above is synced when it is used first: whoever made
    /// the one in it may have been killed before doing so.
    private func make(_ folder: RemotePath) throws(RemoteError) -> Folder {
        let isKnown = known.withLock { $0.contains(folder) }
        var open = try top()
        do throws(Errno) {
            for component in folder.components {
                if let next = try open.folder(component) {
                    if !isKnown { try open.synchronize() }
                    open = next
                    continue
                }
                try open.makeFolder(component)
                try open.synchronize()
                guard let made = try open.folder(component) else { throw Errno.notDirectory }
                open = made
            }
        } catch {
            throw failure(error, "\(path)/\(folder)")
        }
        if !isKnown {
            TemporaryName.removeOld(in: open)
            known.withLock { _ = $0.insert(folder) }
        }
        return open
    }

    /// Runs calls on something of the remote, and says what failed and why.
    private func explaining<Value>(
        _ place: RemotePath, _ body: () throws(Errno) -> Value
    ) throws(RemoteError) -> Value {
        do { return try body() } catch { throw failure(error, "\(path)/\(place)") }
    }

    private func failure(_ error: Errno, _ place: String) -> RemoteError {
        switch error {
        case .noSpace, .diskQuotaExceeded: .full
        case .permissionDenied, .notPermitted, .readOnlyFileSystem: .notPermitted("\(place): \(error)")
        case .isDirectory: .malformed("\(place) is a folder where an object belongs")
        case .notDirectory: .malformed("\(place) is a file where a folder belongs")
        case .fileTooLarge: .malformed("\(place) holds too much")
        default: .unreachable("\(place): \(error)")
        }
    }
}
