import CFuse
import Foundation
import Fuse
import Synchronization
import TestSupport
import Testing

/// Each kind of reply reaches the program that asked.
@Suite struct ReplyTests {
    @Test func contents() throws {
        try Mounted.with { mounted in
            try mounted.write("some text", to: "file")
            #expect(try mounted.read("file") == "some text")
            let file = try Posix.File(mounted.path("file"), O_RDWR)
            #expect(try file.read(100, at: 5) == Array("text".utf8))
            #expect(try file.read(100, at: 9) == [])
            try file.synchronize()
            #expect(fdatasync(file.number) == 0)
            try file.close()
            #expect(mounted.files.count("fsync") == 1 && mounted.files.count("fdatasync") == 1)
            #expect(mounted.files.count("flush") > 0)
            try Posix.check(unsafe truncate(mounted.path("file"), 4), "truncate")
            #expect(try mounted.read("file") == "some")
        }
    }

    /// One request of a mebibyte, not 256 of a page.
    @Test func largeWritesAndReads() throws {
        try Mounted.with { mounted in
            let bytes = (0..<(3 << 20)).map { UInt8(truncatingIfNeeded: $0 / 4093) }
            try Posix.write(bytes, to: mounted.path("large"))
            #expect(try Posix.read(mounted.path("large")) == bytes)
            #expect(mounted.files.state.withLock { $0.longestWrite } == 1 << 20)
        }
    }

    @Test func attributes() throws {
        try Mounted.with { mounted in
            let path = mounted.path("file")
            try mounted.write("12345", to: "file")
            try Posix.check(unsafe chmod(path, 0o4751), "chmod")
            let time = timespec(tv_sec: 1_000_000_007, tv_nsec: 123_456_789)
            try Posix.check(unsafe utimensat(AT_FDCWD, path, [time, time], 0), "utimensat")
            let status = try Posix.status(path)
            #expect(status.st_mode == S_IFREG | 0o4751 && status.st_size == 5 && status.st_nlink == 1)
            #expect(status.st_mtim.tv_sec == time.tv_sec && status.st_mtim.tv_nsec == time.tv_nsec)
            if geteuid() == 0 {
                // Whoever changes the owner takes the set-user-id bit (chown(2)).
                try Posix.check(unsafe chown(path, 12, 34), "chown")
                let changed = try Posix.status(path)
                #expect((changed.st_uid, changed.st_gid, changed.st_mode) == (12, 34, S_IFREG | 0o751))
            }
        }
    }

    @Test func names() throws {
        try Mounted.with { mounted in
            try mounted.write("text", to: "one")
            try Posix.check(unsafe mkdir(mounted.path("folder"), 0o700), "mkdir")
            try Posix.check(unsafe rename(mounted.path("one"), mounted.path("folder/two")), "rename")
            try Posix.check(unsafe link(mounted.path("folder/two"), mounted.path("three")), "link")
            #expect(try Posix.status(mounted.path("three")).st_nlink == 2)
            try Posix.check(unsafe symlink("folder/two", mounted.path("link")), "symlink")
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: mounted.path("link")) == "folder/two")
            #expect(try mounted.read("link") == "text")
            try Posix.check(unsafe mkfifo(mounted.path("pipe"), 0o600), "mkfifo")
            #expect(try Posix.status(mounted.path("pipe")).st_mode & S_IFMT == S_IFIFO)
            #expect(unsafe rmdir(mounted.path("folder")) == -1 && errno == ENOTEMPTY)
            try Posix.check(unsafe unlink(mounted.path("folder/two")), "unlink")
            try Posix.check(unsafe rmdir(mounted.path("folder")), "rmdir")
            #expect(try Posix.names(mounted.directory) == ["three", "link", "pipe"])
            try Posix.File(mounted.directory, O_RDONLY | O_DIRECTORY).synchronize()
            #expect(mounted.files.count("fsyncdir") == 1)
        }
    }

    /// The length alone, the value, and a buffer that is too short.
    @Test func extendedAttributes() throws {
        try Mounted.with { mounted in
            let path = mounted.path("file")
            try mounted.write("", to: "file")
            #expect(try LateCalls.setAttribute(path, "user.a", Array("value".utf8), flags: 0) == 0)
            #expect(try LateCalls.setAttribute(path, "user.empty", [], flags: 0) == 0)
            #expect(try LateCalls.attribute(path, "user.a") == Array("value".utf8))
            #expect(try LateCalls.attribute(path, "user.empty") == [])
            #expect(try LateCalls.attributeNames(path) == ["user.a", "user.empty"])
            let shown = try Command("getfattr", ["--only-values", "-n", "user.a", path]).run(expecting: 0)
            #expect(shown.text == "value")
            #expect(try LateCalls.removeAttribute(path, "user.a") == 0)
            #expect(try LateCalls.attribute(path, "user.a") == nil)
            #expect(errno == ENODATA)
        }
    }

    @Test func statisticsAndSeek() throws {
        try Mounted.with { mounted in
            var space = statvfs()
            try Posix.check(unsafe statvfs(mounted.directory, &space), "statvfs")
            #expect((space.f_frsize, space.f_blocks, space.f_bfree, space.f_namemax) == (4096, 1000, 600, 255))
            #expect((space.f_files, space.f_ffree) == (77, 33))
            try Posix.write([UInt8](repeating: 1, count: 9000), to: mounted.path("file"))
            let file = try Posix.File(mounted.path("file"), O_RDONLY)
            let (seekData, seekHole): (Int32, Int32) = (3, 4)
            #expect(lseek(file.number, 0, seekData) == 4096)
            #expect(lseek(file.number, 5000, seekHole) == 5000)
        }
    }

    /// What the file system leaves out the kernel does, or refuses with the right number.
    @Test func leftOut() throws {
        try Mounted.with { mounted in
            try mounted.write("0123456789", to: "file")
            let file = try Posix.File(mounted.path("file"), O_RDWR)
            #expect(try LateCalls.allocate(file.number, mode: 0, offset: 0, length: 100) == -1)
            #expect(errno == EOPNOTSUPP)
            let copy = try Posix.File(mounted.path("copy"), O_RDWR | O_CREAT)
            #expect(try LateCalls.copyRange(file.number, copy.number, 10) == 10)
            #expect(try mounted.read("copy") == "0123456789")
        }
    }

    /// References that were given to the kernel come back, to the last one.
    @Test func everyReferenceIsForgotten() throws {
        try Mounted.with { mounted in
            for number in 0..<50 { try mounted.write("text", to: "file \(number)") }
            for name in try Posix.names(mounted.directory) { _ = try mounted.read(name) }
            for number in 0..<50 { try Posix.check(unsafe unlink(mounted.path("file \(number)")), "unlink") }
            mounted.end { mounted.session.unmount() }
            #expect(mounted.hasEnded())
            // With the mount the kernel gives up the rest without a word (FUSE_DESTROY).
            let left = mounted.files.state.withLock { $0.references.filter { $0.value < 0 } }
            #expect(left.isEmpty, "never more than were given: \(left)")
            #expect(mounted.files.count("forget") > 0)
        }
    }
}
