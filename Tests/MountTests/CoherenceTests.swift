import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing

/// Readers through the page cache beside writers that go past it.
@Suite struct CoherenceTests {
    /// How a file is opened for the writes: with one that cannot read the file system may choose to go past the page
    /// cache, with O_DIRECT the program does.
    enum Writer: CaseIterable {
        case writeOnly, writeOnlyDirect, direct

        var flags: Int32 {
            #if arch(arm64)
                let direct: Int32 = 0o200000
            #else
                let direct: Int32 = 0o40000
            #endif
            return switch self {
            case .writeOnly: O_WRONLY
            case .writeOnlyDirect: O_WRONLY | direct
            case .direct: O_RDWR | direct
            }
        }
    }

    /// Once a write is done nobody finds what was there before it: not asynchronous ones either, while others read.
    @Test(arguments: Writer.allCases, [false, true])
    func noStalePagesOnceAWriteIsDone(_ writer: Writer, isAsynchronous: Bool) throws {
        try TestVault.with { vault in
            try vault.mount()
            let (path, size, rounds) = (vault.path("file"), 655_360, 40)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
            defer { unsafe buffer.deallocate() }
            try Posix.write([UInt8](repeating: 0, count: size), to: path)
            let isOver = Atomic<Bool>(false)
            let readers = DispatchGroup()
            for _ in 0..<2 {
                Thread.run(in: readers) {
                    while !isOver.load(ordering: .relaxed) {
                        guard let file = try? Posix.File(path, O_RDONLY) else { return }
                        _ = try? file.read(size, at: 0)
                    }
                }
            }
            defer {
                isOver.store(true, ordering: .relaxed)
                readers.wait()
            }
            let asynchronous = try AsynchronousWrites()
            var stale = 0
            for round in 1...rounds {
                let value = UInt8(truncatingIfNeeded: round)
                unsafe buffer.initializeMemory(as: UInt8.self, repeating: value)
                let file = try Posix.File(path, writer.flags)
                if isAsynchronous {
                    try unsafe asynchronous.write(UnsafeRawBufferPointer(buffer), to: file)
                } else {
                    #expect(unsafe pwrite(file.number, buffer.baseAddress, size, 0) == size)
                }
                try file.close()
                let found = try Posix.File(path, O_RDONLY).read(size, at: 0)
                if unsafe !found.elementsEqual(buffer) { stale += 1 }
            }
            #expect(stale == 0, "\(stale) of \(rounds) rounds")
        }
    }
}
