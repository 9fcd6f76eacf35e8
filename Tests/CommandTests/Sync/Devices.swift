import Foundation
import TestSupport

/// Two devices of one vault, each in a home of its own, and the remote between them.
struct TwoDevices {
    static let email = "ann@example.org"

    let place: RemotePlace
    let a: TestVault
    let b: TestVault

    /// A has a vault with two entries and has pushed it; B has joined with A's kit, as a picture.
    static func with<R>(
        _ kind: RemoteKind = .directory, joined: Bool = true, _ body: (TwoDevices) throws -> R
    ) throws -> R {
        let place = try RemotePlace(kind)
        return try TestVault.with(initialized: false) { a in
            try TestVault.with(initialized: false) { b in
                let devices = TwoDevices(place: place, a: a, b: b)
                try devices.makeFirst()
                if joined { try devices.join() }
                return try body(devices)
            }
        }
    }

    /// What the remote is called on the command line.
    var url: String { place.address ?? place.folder }

    /// The kit as a picture.
    var kit: String { a.home.file("kit.png") }

    private func makeFirst() throws {
        try a.make("--device-name", "alpha", "--email", Self.email)
        try a.edit {
            try FileManager.default.createDirectory(atPath: a.path("mail"), withIntermediateDirectories: false)
            try a.write("s3cret\nuser: ann\nurl: example.org\n", to: "mail/gmail")
            try a.write("first line\n", to: "note")
        }
        try a.opened("remote", "set", url).run(expecting: 0)
        try a.sync()
        try a.opened("kit", "--png", kit, "--email", Self.email).run(expecting: 0)
    }

    /// `coffer join` on B.
    @discardableResult
    func join(_ arguments: String..., expecting code: Int32 = 0) throws -> Command.Result {
        try b.coffer(
            ["join", "--kit", kit, "--email", Self.email, "--device-name", "beta", "--password-file", b.passwordFile]
                + TwoDevices.cost + (arguments.contains("--fingerprint") ? [] : a.fingerprint) + host + arguments
        ).run(expecting: code)
    }

    /// That the kit's remote is expected to be at a server of this machine, where it is.
    private var host: [String] { place.address == nil ? [] : ["--remote-host", "127.0.0.1"] }

    /// The lowest cost of unlocking.
    static let cost = ["--kdf-memory", "64", "--kdf-passes", "3"]

    /// A, B and A again: both have heard of everything.
    func syncAll() throws {
        for device in [a, b, a] { try device.sync() }
    }
}

extension TestVault {
    /// `coffer sync`, with what it says.
    @discardableResult
    func sync(_ arguments: String..., expecting code: Int32 = 0) throws -> Command.Result {
        try coffer(["sync", "--password-file", passwordFile] + arguments).run(expecting: code)
    }

    /// Mounts without synchronising, does `body` and locks.
    func edit<R>(_ body: () throws -> R) throws -> R {
        try mount("--no-sync")
        let result = try body()
        try lock()
        return result
    }

    /// Every file below the top with its text; folders with a slash.
    func tree() throws -> [String: String] {
        try edit {
            let paths = FileManager.default.enumerator(atPath: directory)?.allObjects ?? []
            return try paths.compactMap { $0 as? String }.reduce(into: [:]) { tree, path in
                let isFolder = try Posix.status(self.path(path)).st_mode & S_IFMT == S_IFDIR
                tree[isFolder ? path + "/" : path] = isFolder ? "" : try read(path)
            }
        }
    }

    /// The secret of an entry, by `coffer show`.
    func show(_ entry: String) throws -> String { try opened("show", entry).run(expecting: 0).text }
}

/// What has no event of the kernel is asked for again, without a pause of a guessed length: each look is a call that
/// takes its time.
func wait(_ what: String, _ condition: () throws -> Bool) throws {
    let deadline = ContinuousClock.now + .patience
    while !((try? condition()) ?? false) {
        guard ContinuousClock.now < deadline else { throw TestFailure("waited in vain: \(what)") }
        // Some milliseconds of somebody else's work.
        try Command("true").run(expecting: 0)
    }
}

/// The files of a remote's folder.
struct RemoteFiles {
    let folder: String

    /// Paths below the folder, sorted.
    func paths() -> [String] {
        let all = FileManager.default.enumerator(atPath: folder)?.allObjects ?? []
        return all.compactMap { $0 as? String }.filter { path in
            (try? Posix.status("\(folder)/\(path)").st_mode & S_IFMT == S_IFREG) ?? false
        }.sorted()
    }

    func contents() -> [String: [UInt8]] {
        paths().reduce(into: [:]) { $0[$1] = try? Posix.read("\(folder)/\($1)") }
    }

    /// What the folder held before is what it holds again: a restored backup.
    func restore(_ contents: [String: [UInt8]]) throws {
        for path in paths() where contents[path] == nil {
            try FileManager.default.removeItem(atPath: "\(folder)/\(path)")
        }
        for (path, bytes) in contents { try Posix.write(bytes, to: "\(folder)/\(path)") }
    }

    /// Changes one bit in the middle of a file.
    func flip(_ path: String) throws {
        var bytes = try Posix.read("\(folder)/\(path)")
        bytes[bytes.count / 2] ^= 1
        try Posix.write(bytes, to: "\(folder)/\(path)")
    }
}
