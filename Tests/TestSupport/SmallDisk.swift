import Foundation

/// A file system of its own below a vault's folder, which can be filled. It needs root (tmpfs).
public final class SmallDisk: Sendable {
    private let ballast: String

    /// Makes a vault whose files alone are on the disk, gives both to `body`, and takes them away.
    public static func with<R>(megabytes: Int, _ body: (TestVault, SmallDisk) throws -> R) throws -> R {
        try TestVault.with(initialized: false) { vault in
            let folder = try vault.home.directory(".local/share/coffer")
            try Command("mount", ["-t", "tmpfs", "-o", "size=\(megabytes)m", "none", folder]).run(expecting: 0)
            try vault.make()
            return try body(vault, SmallDisk(folder))
        }
    }

    private init(_ folder: String) { ballast = "\(folder)/ballast" }

    /// Takes all that is free.
    public func fill() throws {
        let file = try Posix.File(ballast, O_WRONLY | O_CREAT | O_APPEND)
        for size in [1 << 16, 1 << 12] {
            let block = [UInt8](repeating: 1, count: size)
            while try Posix.code({ try file.write(block) }) == 0 {}
        }
        try file.close()
    }

    /// Gives it back.
    public func free() throws { try FileManager.default.removeItem(atPath: ballast) }
}
