import Foundation
import TestSupport

/// `Tests/Reader`: what the program writes, read by a second implementation, which was written from the documents alone.
struct Reader {
    /// An entry of a tree.
    struct Entry: Decodable, Equatable {
        /// Its identifier.
        var entry: String
        var mode: UInt32
        /// In base64; nil for what has none.
        var content: String?
    }

    struct Vault: Decodable {
        var vault: String
        var fingerprint: String
        /// Entries of the redo journal that the database did not have.
        var journal: Int
        /// Of the account keys that it has.
        var epochs: [Int]
        var entries: [String: Entry]
        /// Contents of earlier versions, in base64.
        var versions: [String]
        var state: State?
    }

    /// What synchronisation remembers.
    struct State: Decodable {
        struct Member: Decodable, Equatable { var name: String, isShutOut: Bool }
        var published: UInt64
        var seen: [String: UInt64]
        var members: [String: Member]
        var snapshots: [String]
        var kits: [String]
    }

    struct Kit: Decodable {
        var kit: String
        var vault: String
        var epoch: Int
        var fingerprint: String
        var remote: String
    }

    struct Remote: Decodable {
        struct Merge: Decodable, Equatable { var written: String, computed: String? }
        var vault: String
        var fingerprint: String
        var epochs: [Int]
        var segmentEpochs: [Int]
        var devices: [String: String]
        /// The one that a device which joins would begin with.
        var snapshot: String?
        var entries: [String: Entry]
        /// The same without the snapshot, where no segment is gone.
        var entriesOfLogs: [String: Entry]?
        /// Lineages of copies, by their paths.
        var copies: [String: String]
        /// Paths of the blobs that segments and snapshots name.
        var blobs: [String]
        /// Merges of fields: what a device has written, and what comes out of the documents.
        var merges: [Merge]
        var hints: [String: String]
    }

    /// Runs the reader.
    ///
    /// - Parameter password: what it reads first; keys are derived as the tests' programs do.
    static func run(_ arguments: [String], password: String = TestVault.password) throws -> Data {
        let environment = ProcessInfo.processInfo.environment
        let cache = environment["XDG_CACHE_HOME"] ?? "\(environment["HOME"] ?? "/root")/.cache"
        let python = "\(cache)/coffer-tests/reader/bin/python3"
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw TestFailure("there is no \(python): Tests/run installs it")
        }
        // It leaves no compiled files in the source.
        let words = ["-B", "\(Program.root)/Tests/Reader/reader.py", "--quick"] + arguments
        return Data(try Command(python, words, input: password + "\n").run(expecting: 0).output)
    }

    static func vault(_ file: String) throws -> Vault {
        try JSONDecoder().decode(Vault.self, from: run(["vault", file]))
    }

    static func kit(_ file: String) throws -> Kit {
        try JSONDecoder().decode(Kit.self, from: run(["kit", file]))
    }

    static func remote(_ folder: String, kit: String, email: String) throws -> Remote {
        try JSONDecoder().decode(Remote.self, from: run(["remote", folder, kit, email]))
    }
}

extension TestVault {
    /// What the mount shows, as the reader tells it; identifiers are not shown.
    func shown() throws -> [String: Reader.Entry] {
        let paths = FileManager.default.enumerator(atPath: directory)?.allObjects ?? []
        return try paths.compactMap { $0 as? String }.reduce(into: [:]) { tree, path in
            let mode = try Posix.status(self.path(path)).st_mode
            let content: Data? =
                switch mode & S_IFMT {
                case S_IFREG: Data(try Posix.read(self.path(path)))
                case S_IFLNK: Data(try FileManager.default.destinationOfSymbolicLink(atPath: self.path(path)).utf8)
                default: nil
                }
            tree[path] = Reader.Entry(entry: "", mode: mode, content: content?.base64EncodedString())
        }
    }
}

extension [String: Reader.Entry] {
    /// Without what no program shows.
    var withoutIdentifiers: Self { mapValues { Reader.Entry(entry: "", mode: $0.mode, content: $0.content) } }
}
