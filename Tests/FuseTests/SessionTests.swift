import Foundation
import Fuse
import Synchronization
import TestSupport
import Testing

/// Threads and their end; what the kernel is told without having asked.
@Suite struct SessionTests {
    // MARK: The turn

    /// A request that waits, having passed the turn, keeps nobody else from being answered; nor do several.
    @Test(arguments: [1, 6]) func slowRequestsBlockNobody(_ count: Int) throws {
        try Mounted.with { mounted in
            try mounted.write("wait", to: "slow")
            let group = DispatchGroup()
            for _ in 0..<count {
                Thread.run(in: group) {
                    // Each past the page cache's lock of the others.
                    let text = try? mounted.read("slow")
                    #expect(text == "wait")
                }
            }
            // Readers of one page wait for each other in the kernel: at least one has come.
            #expect(mounted.files.trouble.waitUntil(1))
            try mounted.write("text", to: "other")
            #expect(try mounted.read("other") == "text")
            while group.wait(timeout: .now()) != .success {
                #expect(try Posix.code { _ = try Posix.status(mounted.path("go on")) } == ENOENT)
            }
        }
    }

    /// A large request passes the turn before it is looked at.
    @Test func largeRequestsBlockNobody() throws {
        try Mounted.with { mounted in
            try Posix.write([UInt8](repeating: UInt8(ascii: "w"), count: 1 << 17), to: mounted.path("large"))
            let group = DispatchGroup()
            Thread.run(in: group) {
                let count = (try? Posix.read(mounted.path("large")))?.count
                #expect(count == 1 << 17)
            }
            #expect(mounted.files.trouble.waitUntil(1))
            #expect(try Posix.names(mounted.directory) == ["large"])
            while group.wait(timeout: .now()) != .success {
                #expect(try Posix.code { _ = try Posix.status(mounted.path("go on")) } == ENOENT)
            }
        }
    }

    // MARK: The end

    /// All threads end, those that wait for a request too; a program that is still inside gets errors.
    @Test(arguments: ["exit", "unmount", "umount of another"]) func end(_ way: String) throws {
        try Mounted.with { mounted in
            try mounted.write("wait", to: "slow")
            try mounted.write("text", to: "file")
            let file = try Posix.File(mounted.path("file"), O_RDONLY)
            // So that there is more than one thread.
            let group = DispatchGroup()
            Thread.run(in: group) { _ = try? mounted.read("slow") }
            #expect(mounted.files.trouble.waitUntil(1))
            #expect(try Posix.code { _ = try Posix.status(mounted.path("go on")) } == ENOENT)
            group.wait()
            switch way {
            case "exit": mounted.end { mounted.session.exit() }
            case "unmount": mounted.end { mounted.session.unmount() }
            default:
                try file.close()
                #expect(try Command("fusermount3", ["-u", mounted.directory]).runUnlessBusy().code == 0)
            }
            #expect(mounted.hasEnded())
            #expect(try Mount.below(mounted.directory).isEmpty)
            if way == "unmount" { #expect(try Posix.code { _ = try file.read(1, at: 0) } != 0) }
        }
    }

    // MARK: Messages to the kernel

    @Test func invalidatedContentIsReadAgain() throws {
        try Mounted.with(isCached: true) { mounted in
            try mounted.write("old text", to: "file")
            #expect(try mounted.read("file") == "old text")
            let node = mounted.files.state.withLock { $0.next - 1 }
            mounted.files.state.withLock { $0.files[node]?.content = Array("new text".utf8) }
            #expect(try mounted.read("file") == "old text", "the kernel keeps what it was given")
            #expect(mounted.session.invalidate(NodeID(node)) == nil)
            #expect(try mounted.read("file") == "new text")
            #expect(mounted.session.invalidate(NodeID(4711)) == nil, "what the kernel does not know")
        }
    }

    @Test func invalidatedNameIsLookedUpAgain() throws {
        try Mounted.with(isCached: true) { mounted in
            try mounted.write("text", to: "file")
            _ = try Posix.status(mounted.path("file"))
            let before = mounted.files.count("lookup")
            _ = try Posix.status(mounted.path("file"))
            #expect(mounted.files.count("lookup") == before)
            #expect(mounted.session.invalidate(Array("file".utf8), in: .root) == nil)
            _ = try Posix.status(mounted.path("file"))
            #expect(mounted.files.count("lookup") == before + 1)
        }
    }

    /// A name that goes without the kernel's doing is told to those who watch.
    @Test func announcedRemovalIsSeen() throws {
        try Mounted.with(isCached: true) { mounted in
            try mounted.write("text", to: "file")
            let node = mounted.files.state.withLock { $0.next - 1 }
            _ = try Posix.status(mounted.path("file"))
            mounted.files.state.withLock { $0.files[1]?.children = [] }
            #expect(mounted.session.announceRemoval(of: Array("file".utf8), in: .root, node: NodeID(node)) == nil)
            #expect(try Posix.code { _ = try Posix.status(mounted.path("file")) } == ENOENT)
        }
    }
}
