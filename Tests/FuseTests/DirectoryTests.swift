import Foundation
import Synchronization
import TestSupport
import Testing

/// Listings in parts: offsets, names of every length, and what does not fit.
@Suite struct DirectoryTests {
    private static let names = (0..<1500).map { "\($0) " + String(repeating: "n", count: $0 % 200) }

    private func withNames(_ body: (Mounted) throws -> Void) throws {
        try Mounted.with { mounted in
            mounted.files.state.withLock { state in
                for name in Self.names {
                    state.files[state.next] = .init(mode: UInt32(S_IFREG) | 0o600)
                    state.files[1]?.children.append((name, state.next))
                    state.next += 1
                }
            }
            try body(mounted)
        }
    }

    @Test func everyNameOnce() throws {
        try withNames { mounted in
            let names = try Posix.names(mounted.directory)
            #expect(names == Self.names)
            let offsets = mounted.files.state.withLock { $0.offsets }
            #expect(offsets.count > 3 && offsets == offsets.sorted(), "in several parts, each behind the last")
            #expect(mounted.files.count("readdirplus") > 0)
        }
    }

    @Test func goesOnWhereTold() throws {
        try withNames { mounted in
            let opened = unsafe opendir(mounted.directory)
            let stream = try unsafe #require(opened)
            defer { unsafe _ = closedir(stream) }
            var places: [Int] = []
            for _ in Self.names {
                places.append(unsafe telldir(stream))
                unsafe _ = readdir(stream)
            }
            for number in [700, 3, 1499, 0] {
                unsafe seekdir(stream, places[number])
                let found = unsafe readdir(stream)
                let entry = try unsafe #require(found)
                let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
                }
                #expect(name == Self.names[number])
            }
        }
    }

    /// 255 bytes are a name; a longer one would make the kernel refuse the whole listing.
    @Test func longestName() throws {
        try Mounted.with { mounted in
            let longest = String(repeating: "l", count: 255)
            mounted.files.state.withLock { state in
                for name in ["before", longest, longest + "l", "behind"] {
                    state.files[1]?.children.append((name, 7))
                    state.files[7] = .init(mode: UInt32(S_IFREG) | 0o600)
                }
            }
            let names = try Posix.names(mounted.directory)
            #expect(names == ["before", longest, "behind"])
        }
    }
}
