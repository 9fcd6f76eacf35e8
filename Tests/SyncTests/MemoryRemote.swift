import Format
import Sync
import Synchronization

/// A remote that several devices share and that each of them sees in its own way, as a folder that is carried from machine
/// to machine: what one writes comes to the others later, in any order, and first in part.
final class SharedRemote: Sendable {
    struct Contents: Sendable {
        /// What each device sees.
        var views: [Int: [RemotePath: [UInt8]]] = [:]
        /// What is under way to a device.
        var underWay: [Parcel] = []
        /// Devices that the remote shows a history of their own, as long as it does: what goes on outside does not come in, nor
        /// the other way round.
        var apart: Set<Int> = []
        /// The first bytes that each path ever had, hints left out.
        var written: [RemotePath: [UInt8]] = [:]
        /// A path got other bytes than before: a retry that was not the same.
        var rewrites: [RemotePath] = []
        /// A device has two segments of one number, or one below what it has written before.
        var twins: [RemotePath] = []
        var lastWritten: [String: UInt64] = [:]
        /// What is there and in no listing yet, as object stores have it.
        var unlisted: Set<RemotePath> = []
        /// What was removed, since somebody has looked.
        var removed: [RemotePath] = []

        /// Numbers of a log only rise.
        mutating func note(_ path: RemotePath) {
            guard path.components.count == 4, path.components[1] == "log",
                let number = UInt64(path.components[3].prefix { $0 != "." })
            else { return }
            if number <= lastWritten[path.components[2]] ?? 0 { twins.append(path) }
            lastWritten[path.components[2]] = max(number, lastWritten[path.components[2]] ?? 0)
        }
    }

    /// A change under way; nil is a removal.
    struct Parcel: Sendable {
        let from: Int
        let to: Int
        let path: RemotePath
        let bytes: [UInt8]?
    }

    let contents = Mutex(Contents())
    let count: Int

    init(devices count: Int) {
        self.count = count
        contents.withLock { contents in for device in 0..<count { contents.views[device] = [:] } }
    }

    /// All views, and what is under way between them: what a backup of the remote has.
    struct Backup: Sendable {
        fileprivate var views: [Int: [RemotePath: [UInt8]]]
        fileprivate var underWay: [Parcel]
    }

    func backup() -> Backup { contents.withLock { Backup(views: $0.views, underWay: $0.underWay) } }

    func restore(_ backup: Backup) {
        contents.withLock { ($0.views, $0.underWay) = (backup.views, backup.underWay) }
    }

    /// Whether a device has written two histories.
    var hasTwins: Bool { contents.withLock { !$0.twins.isEmpty } }

    /// Two histories from now on, or one again.
    func divide(_ apart: Set<Int>) { contents.withLock { $0.apart = apart } }

    /// Another device sees what this one does.
    func copyView(of device: Int, to other: Int) {
        guard device != other else { return }
        contents.withLock { contents in
            contents.views[other] = contents.views[device]
            let coming = contents.underWay.filter { $0.to == device }
            contents.underWay.removeAll { $0.to == other }
            contents.underWay += coming.map { Parcel(from: $0.from, to: other, path: $0.path, bytes: $0.bytes) }
        }
    }

    func write(_ path: RemotePath, _ bytes: [UInt8]?, by device: Int, isHint: Bool) {
        contents.withLock { contents in
            if bytes == nil { contents.removed.append(path) }
            contents.views[device]?[path] = bytes
            guard !path.isReceipt else {
                for other in 0..<count where contents.apart.contains(other) == contents.apart.contains(device) {
                    contents.views[other]?[path] = bytes
                }
                return
            }
            for other in 0..<count where other != device {
                contents.underWay.append(Parcel(from: device, to: other, path: path, bytes: bytes))
            }
            guard let bytes, !isHint else { return }
            if let before = contents.written[path], before != bytes { contents.rewrites.append(path) }
            if contents.written[path] == nil { contents.note(path) }
            contents.written[path] = bytes
        }
    }

    /// Some of what is under way arrives, some of it in part only.
    func deliver(_ portion: Double, using random: inout Randomness) {
        contents.withLock { contents in
            contents.underWay.shuffle(using: &random)
            var rest: [Parcel] = []
            for item in contents.underWay {
                guard contents.apart.contains(item.from) == contents.apart.contains(item.to) else {
                    rest.append(item)
                    continue
                }
                if portion >= 1 || Double(random.next() % 1000) < portion * 1000 {
                    contents.views[item.to]?[item.path] = item.bytes
                } else {
                    rest.append(item)
                    if let bytes = item.bytes, bytes.count > 2, random.next() % 8 == 0 {
                        contents.views[item.to]?[item.path] = Array(
                            bytes.prefix(Int(random.next() % UInt64(bytes.count))))
                    }
                }
            }
            contents.underWay = rest
        }
    }
}

/// One device's view of it, which may fail at any call.
final class MemoryRemote: Remote {
    let shared: SharedRemote
    let device: Int
    /// Calls until the connection drops; the call then may or may not have been carried out.
    private let patience = Mutex<(calls: Int, carriesOut: Bool)>((.max, false))

    init(_ shared: SharedRemote, device: Int) { (self.shared, self.device) = (shared, device) }

    func fail(after calls: Int, carryingOut: Bool) { patience.withLock { $0 = (calls, carryingOut) } }

    /// How many calls there were.
    let calls = Mutex(0)
    /// The most objects that were asked for at once.
    var longestRead: Int { longest.withLock { $0 } }
    private let longest = Mutex(0)

    /// Whether the call is carried out; throws where its answer is lost.
    ///
    /// - Parameter isOfReceipts: nothing rests on receipts. They arrive at once and are not in the count of what fails, so
    ///   that the seeds in which something was found stay what they were.
    private func call(isOfReceipts: Bool = false, _ body: () -> Void) throws(RemoteError) {
        calls.withLock { $0 += 1 }
        guard !isOfReceipts else { return body() }
        let (isLost, isDone) = patience.withLock { patience in
            patience.calls -= 1
            return (patience.calls < 0, patience.calls >= 0 || patience.carriesOut)
        }
        if isDone { body() }
        if isLost { throw .unreachable("dropped") }
    }

    private var view: [RemotePath: [UInt8]] { shared.contents.withLock { $0.views[device] ?? [:] } }

    func list(_ folder: RemotePath) async throws(RemoteError) -> [RemoteItem] {
        try call {}
        var items: [String: RemoteItem] = [:]
        let depth = folder.components.count
        let unlisted = shared.contents.withLock(\.unlisted)
        let isOfHints = folder.components.last == "head"
        for (path, bytes) in view where unlisted.isEmpty || !unlisted.contains(path) {
            // The last component tells most of them apart.
            guard path.components.count > depth, path.components[depth - 1] == folder.components[depth - 1],
                path.components.starts(with: folder.components)
            else { continue }
            let isFolder = path.components.count > depth + 1
            let name = path.components[depth]
            items[name] = RemoteItem(
                name: name, isFolder: isFolder, size: isFolder ? nil : UInt64(bytes.count),
                // All but what is written over is told apart by its name.
                tag: isFolder ? nil : String(isOfHints ? bytes.hashValue : bytes.count))
        }
        return Array(items.values)
    }

    func read(_ paths: [RemotePath], limit: Int) async throws(RemoteError) -> [RemoteBytes] {
        longest.withLock { $0 = max($0, paths.count) }
        try call(isOfReceipts: paths.allSatisfy(\.isReceipt)) {}
        let view = view
        return paths.map { path in
            guard let bytes = view[path] else { return .missing }
            return bytes.count > limit ? .tooLong : .bytes(bytes)
        }
    }

    func create(_ objects: [RemoteObject]) async throws(RemoteError) {
        for object in objects {
            try call {
                if view[object.path]?.count != object.bytes.count {
                    shared.write(object.path, object.bytes, by: device, isHint: false)
                }
            }
        }
    }

    func replace(_ hint: RemoteObject) async throws(RemoteError) {
        try call(isOfReceipts: hint.path.isReceipt) {
            shared.write(hint.path, hint.bytes, by: device, isHint: true)
        }
    }

    func remove(_ paths: [RemotePath]) async throws(RemoteError) {
        for path in paths { try call { shared.write(path, nil, by: device, isHint: false) } }
    }
}

extension RemotePath {
    fileprivate var isReceipt: Bool { components.count == 3 && components[2].hasSuffix(".read") }
}

/// SplitMix64 (Steele et al. 2014): a run from its seed.
struct Randomness: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }
}
