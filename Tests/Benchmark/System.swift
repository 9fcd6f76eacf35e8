import Glibc

/// One of the file systems that are compared.
struct System: Sendable {
    let name: String
    /// `folder/mount` is the file system, `folder/remount` a program that unmounts and mounts it again.
    let folder: String

    /// The folder in the file system in which everything happens.
    var root: String { "\(folder)/mount/bench" }

    /// The bare disk has no caches of its own to empty and so no such program.
    func remount() throws {
        guard unsafe access("\(folder)/remount", X_OK) == 0 else { return }
        try Shell.run("\"$1\"", "\(folder)/remount")
    }

    /// Makes the files that are looked at and read: 200 bytes to 1 KiB, as entries are.
    func prepare(entries: Int) throws {
        for directory in [root, "\(root)/entries", "\(root)/list", "\(root)/new"] {
            try check(unsafe mkdir(directory, 0o755), directory)
        }
        for index in 0..<entries {
            try Call.create(Workload.entry(self, index), Workload.content(index), durable: false)
            try Call.create(Path("\(root)/list/\(Workload.name(index))"), Workload.content(index), durable: false)
        }
    }
}

/// The names and contents that all systems are given alike.
enum Workload {
    static let entries = 1000

    private static let bytes = [UInt8](repeating: 0x61, count: 65536)

    static func name(_ index: Int) -> String {
        let digits = String(index)
        return "entry-" + String(repeating: "0", count: 6 - digits.count) + digits
    }

    static func entry(_ system: System, _ index: Int) -> Path { Path("\(system.root)/entries/\(name(index))") }

    /// 200 to 1,024 bytes.
    static func content(_ index: Int) -> ArraySlice<UInt8> { bytes[..<(200 + index * 197 % 825)] }

    static func content(bytes count: Int) -> ArraySlice<UInt8> { bytes[..<count] }
}
