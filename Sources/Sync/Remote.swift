/// A place that keeps objects: a directory or a WebDAV collection. It is not trusted with anything but to be there;
/// what it gives back is checked by whoever asked.
///
/// An object is immutable and its name holds the hash of its bytes; only *hints* are ever overwritten. Paths are
/// relative, of one to four components; see ``RemotePath``.
///
/// Calls take batches, so that a remote can keep several transfers in flight. They stop when the task is cancelled.
public protocol Remote: Sendable {
    /// What stands directly in a folder; empty for a folder that is not there. Names that are no valid component are
    /// left out: they are not ours.
    func list(_ folder: RemotePath) async throws(RemoteError) -> [RemoteItem]

    /// The bytes of objects, in the order asked for: ``RemoteBytes/missing`` where there is none, and
    /// ``RemoteBytes/tooLong`` where it has more than `limit` bytes.
    func read(_ paths: [RemotePath], limit: Int) async throws(RemoteError) -> [RemoteBytes]

    /// Writes objects that are not there yet, with the folders they need, each of them whole or not at all, and returns
    /// once they last. One that is there already is left as it is, unless its length differs: then what is there is
    /// the rest of a torn upload and is replaced.
    func create(_ objects: [RemoteObject]) async throws(RemoteError)

    /// Writes a hint over the one that is there.
    func replace(_ hint: RemoteObject) async throws(RemoteError)

    /// Removes objects; what is not there is removed already. The path of a folder is none of an object.
    func remove(_ paths: [RemotePath]) async throws(RemoteError)
}

/// What a remote said to the wish for an object.
public enum RemoteBytes: Sendable, Equatable {
    case bytes([UInt8])
    case missing
    /// Longer than it may be; nothing of it was kept.
    case tooLong
}

/// An object with the path it belongs at.
public struct RemoteObject: Sendable, Equatable {
    public var path: RemotePath
    public var bytes: [UInt8]
    /// Nobody writes other bytes there, because the path has their hash, and it is most likely new: it need not be looked
    /// for first.
    public var isNew: Bool

    public init(path: RemotePath, bytes: [UInt8], isNew: Bool = false) {
        self.path = path
        self.bytes = bytes
        self.isNew = isNew
    }
}

/// One line of a listing.
public struct RemoteItem: Sendable, Equatable {
    /// A valid component of a path.
    public var name: String
    public var isFolder: Bool
    /// In bytes; nil where the remote does not say.
    public var size: UInt64?
    /// Changes when the bytes do (ETag, or time and size); nil where the remote does not say.
    public var tag: String?

    public init(name: String, isFolder: Bool, size: UInt64? = nil, tag: String? = nil) {
        self.name = name
        self.isFolder = isFolder
        self.size = size
        self.tag = tag
    }
}

/// Where an object stands: components joined by `/`, below the remote's address.
public struct RemotePath: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let components: [String]

    /// The folder that the address names.
    public static let top = RemotePath(unchecked: [])

    /// - Returns: nil unless there are at most four components and each ``isComponent(_:)``.
    public init?(_ components: [String]) {
        guard components.count <= 4, components.allSatisfy(RemotePath.isComponent) else { return nil }
        self.components = components
    }

    private init(unchecked components: [String]) { self.components = components }

    /// 1 to 128 characters of `a-z`, `0-9`, `.`, `-` and `_`, the first of which is no dot. Nothing in it needs an
    /// escape in a URL or a shell, and folders that ignore case keep such names apart.
    public static func isComponent(_ name: String) -> Bool {
        (1...128).contains(name.utf8.count) && name.utf8.first != 0x2E
            && name.utf8.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x2D || $0 == 0x5F
            }
    }

    public var description: String { components.joined(separator: "/") }

    public static func < (left: RemotePath, right: RemotePath) -> Bool {
        left.components.lexicographicallyPrecedes(right.components)
    }
}

/// Why a remote did not do what it was asked.
public enum RemoteError: Error, Sendable, Equatable {
    /// No answer, or one that says to come back later, after all retries.
    case unreachable(String)
    /// The credentials were refused, or are missing.
    case notAuthorized(String)
    /// The user of this machine may not do that in the folder.
    case notPermitted(String)
    /// There is no room left.
    case full
    /// What came back is not what such a server says: the sentence tells what.
    case malformed(String)
    /// The task was cancelled.
    case cancelled
}
