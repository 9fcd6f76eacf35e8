import Foundation
import TestSupport
import Testing

/// Kinds of files and their attributes, before and after a remount.
@Suite struct FileTests {
    private func remount(_ vault: TestVault) throws {
        try vault.lock()
        try vault.mount()
    }

    @Test func linksAndSpecialFiles() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("text", to: "a")
            let path = vault.path
            try Posix.check(unsafe link(path("a"), path("b")), "link")
            try Posix.check(unsafe symlink("a/../../target with space", path("s")), "symlink")
            try Posix.check(unsafe symlink(String(repeating: "x", count: 4095), path("long")), "symlink")
            try Posix.check(unsafe mkfifo(path("fifo"), 0o640), "mkfifo")
            if geteuid() == 0 {
                try Posix.check(unsafe mknod(path("null"), S_IFCHR | 0o666, 0x103), "mknod")
                let call = Command("/usr/bin/python3", ["-c", Self.socket, path("socket")])
                try call.run(expecting: 0)
            }
            for _ in 0..<2 {
                #expect(try Posix.status(path("a")).st_nlink == 2)
                #expect(try Posix.status(path("a")).st_ino == Posix.status(path("b")).st_ino)
                #expect(try Posix.status(path("s")).st_size == 25)
                let target = try FileManager.default.destinationOfSymbolicLink(atPath: path("s"))
                #expect(target == "a/../../target with space")
                #expect(try Posix.status(path("long")).st_size == 4095)
                #expect(try Posix.status(path("fifo")).st_mode == S_IFIFO | 0o640)
                if geteuid() == 0 {
                    #expect(try Posix.status(path("null")).st_rdev == 0x103)
                    #expect(try Posix.status(path("socket")).st_mode & S_IFMT == S_IFSOCK)
                }
                try remount(vault)
            }
            try vault.write("through the other name", to: "b")
            #expect(try vault.read("a") == "through the other name")
            try Posix.check(unsafe unlink(path("a")), "unlink")
            #expect(try Posix.status(path("b")).st_nlink == 1)
            #expect(try vault.read("b") == "through the other name")
            try vault.lock()
        }
    }

    private static let socket =
        "import os, socket, sys; os.chdir(os.path.dirname(sys.argv[1])); "
        + "socket.socket(socket.AF_UNIX).bind(os.path.basename(sys.argv[1]))"

    @Test func modesAndTimes() throws {
        try TestVault.with { vault in
            try vault.mount()
            let path = vault.path("file")
            try vault.write("text", to: "file")
            try Posix.check(unsafe mkdir(vault.path("folder"), 0o711), "mkdir")
            try Posix.check(unsafe chmod(path, 0o4751), "chmod")
            let times = [
                timespec(tv_sec: 1_234_567_890, tv_nsec: 123_456_789), timespec(tv_sec: -5, tv_nsec: 999_999_999),
            ]
            try Posix.check(unsafe utimensat(AT_FDCWD, path, times, 0), "utimensat")
            let before = try Posix.status(path)
            try remount(vault)
            let after = try Posix.status(path)
            #expect(after.st_mode == S_IFREG | 0o4751)
            #expect(after.st_atim.tv_sec == 1_234_567_890 && after.st_atim.tv_nsec == 123_456_789)
            #expect(after.st_mtim.tv_sec == -5 && after.st_mtim.tv_nsec == 999_999_999)
            #expect(after.st_ctim.tv_sec == before.st_ctim.tv_sec && after.st_ctim.tv_nsec == before.st_ctim.tv_nsec)
            #expect(after.st_ino == before.st_ino)
            #expect(try Posix.status(vault.path("folder")).st_mode == S_IFDIR | 0o711)
            #expect(try Posix.status(vault.path("folder")).st_nlink == 2)
            try vault.lock()
        }
    }

    @Test func extendedAttributes() throws {
        try TestVault.with { vault in
            try vault.mount()
            try vault.write("text", to: "file")
            let path = vault.path("file")
            let value = (0..<2000).map { UInt8(truncatingIfNeeded: $0) }
            try Posix.check(LateCalls.setAttribute(path, "user.one", value, flags: 0), "set")
            try Posix.check(LateCalls.setAttribute(path, "user.empty", [], flags: 1), "set")
            #expect(try LateCalls.setAttribute(path, "user.one", [1], flags: 1) != 0 && errno == EEXIST)
            #expect(try LateCalls.setAttribute(path, "user.none", [1], flags: 2) != 0 && errno == ENODATA)
            try remount(vault)
            #expect(try LateCalls.attribute(path, "user.one") == value)
            #expect(try LateCalls.attribute(path, "user.empty") == [])
            #expect(try LateCalls.attributeNames(path) == ["user.empty", "user.one"])
            try Posix.check(LateCalls.removeAttribute(path, "user.one"), "remove")
            #expect(try LateCalls.removeAttribute(path, "user.one") != 0 && errno == ENODATA)
            try remount(vault)
            #expect(try LateCalls.attribute(path, "user.one") == nil && errno == ENODATA)
            #expect(try LateCalls.attributeNames(path) == ["user.empty"])
            try vault.lock()
        }
    }

    /// Writing through a descriptor that cannot read goes past the page cache: what is there of the file follows.
    @Test func readersAndMappingsSeeWhatAWriteOnlyDescriptorWrites() throws {
        try TestVault.with { vault in
            try vault.mount()
            var expected = [UInt8](repeating: UInt8(ascii: "a"), count: 10_000)
            try Posix.write(expected, to: vault.path("file"))
            let reader = try Posix.File(vault.path("file"), O_RDWR)
            #expect(try reader.read(20_000, at: 0) == expected)
            let mapping = unsafe mmap(nil, 10_000, PROT_READ | PROT_WRITE, MAP_SHARED, reader.number, 0)
            let mapped = unsafe try #require(mapping == MAP_FAILED ? nil : mapping)
            defer { unsafe munmap(mapped, 10_000) }
            // Two pages that the mapping has changed and nobody has written back.
            for place in [1, 5001] {
                unsafe mapped.storeBytes(of: UInt8(ascii: "m"), toByteOffset: place, as: UInt8.self)
                expected[place] = UInt8(ascii: "m")
            }
            let writer = try Posix.File(vault.path("file"), O_WRONLY)
            for place in [10, 5010, 9998] {
                lseek(writer.number, place, SEEK_SET)
                try writer.write(Array("new".utf8))
                expected.replaceSubrange(place..<min(place + 3, expected.count), with: Array("new".utf8))
            }
            let shown = unsafe [UInt8](UnsafeRawBufferPointer(start: mapped, count: 10_000))
            #expect(shown == Array(expected.prefix(10_000)))
            #expect(try reader.read(20_000, at: 0) == expected)
            let appender = try Posix.File(vault.path("file"), O_WRONLY | O_APPEND)
            try appender.write(Array("end".utf8))
            #expect(try reader.read(20_000, at: 0) == expected + Array("end".utf8))
            try vault.lock()
        }
    }

    @Test func sparseAndTruncated() throws {
        try TestVault.with { vault in
            try vault.mount()
            let file = try Posix.File(vault.path("sparse"), O_RDWR | O_CREAT)
            try file.write(Array("head".utf8))
            lseek(file.number, 3_000_001, SEEK_SET)
            try file.write(Array("tail".utf8))
            var expected = Array("head".utf8) + [UInt8](repeating: 0, count: 2_999_997) + Array("tail".utf8)
            #expect(try Posix.read(vault.path("sparse")) == expected)
            try Posix.check(ftruncate(file.number, 2), "ftruncate")
            try Posix.check(ftruncate(file.number, 200_000), "ftruncate")
            expected = Array("he".utf8) + [UInt8](repeating: 0, count: 199_998)
            #expect(try Posix.read(vault.path("sparse")) == expected)
            try Posix.check(LateCalls.allocate(file.number, mode: 0, offset: 199_000, length: 2000), "fallocate")
            #expect(try file.status().st_size == 201_000)
            try file.close()
            try remount(vault)
            expected += [UInt8](repeating: 0, count: 1000)
            #expect(try Posix.read(vault.path("sparse")) == expected)
            try vault.lock()
        }
    }

    @Test func renameFlags() throws {
        try TestVault.with { vault in
            try vault.mount()
            let (a, b) = (vault.path("a"), vault.path("b"))
            let (noReplace, exchange): (UInt32, UInt32) = (1, 2)
            try vault.write("A", to: "a")
            try Posix.check(unsafe mkdir(b, 0o755), "mkdir")
            #expect(try LateCalls.rename(a, b, flags: noReplace) != 0 && errno == EEXIST)
            #expect(unsafe rename(a, b) != 0 && errno == EISDIR)
            #expect(try LateCalls.rename(a, vault.path("none"), flags: exchange) != 0 && errno == ENOENT)
            try vault.write("B", to: "b/inside")
            try Posix.check(LateCalls.rename(a, b, flags: exchange), "exchange")
            try remount(vault)
            #expect(try vault.read("b") == "A")
            #expect(try vault.read("a/inside") == "B")
            #expect(unsafe rename(a, a + "/inside/below") != 0)
            #expect(unsafe rename(a, a + "/below") != 0 && errno == EINVAL)
            try Posix.check(LateCalls.rename(b, vault.path("c"), flags: noReplace), "rename")
            #expect(try vault.read("c") == "A")
            try vault.lock()
        }
    }

    @Test func unlinkedButOpen() throws {
        try TestVault.with { vault in
            try vault.mount()
            let file = try Posix.File(vault.path("file"), O_RDWR | O_CREAT)
            try file.write(Array("first".utf8))
            try Posix.check(unsafe unlink(vault.path("file")), "unlink")
            #expect(try Posix.names(vault.directory).isEmpty)
            try file.write([UInt8](repeating: 0x61, count: 300_000))
            #expect(try file.read(5, at: 0) == Array("first".utf8))
            #expect(try file.status().st_size == 300_005)
            #expect(try file.status().st_nlink == 0)
            try file.synchronize()
            try vault.write("another", to: "file")
            #expect(try file.read(5, at: 0) == Array("first".utf8))
            let other = try Posix.File(vault.path("other"), O_RDWR | O_CREAT)
            try Posix.check(unsafe rename(vault.path("file"), vault.path("other")), "rename")
            try other.write(Array("gone".utf8))
            #expect(try vault.read("other") == "another")
            try file.close()
            try other.close()
            try remount(vault)
            #expect(try Posix.names(vault.directory) == ["other"])
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    @Test func copyRangeWithinAndBetweenFiles() throws {
        try TestVault.with { vault in
            try vault.mount()
            let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            try Posix.write(bytes, to: vault.path("a"))
            let source = try Posix.File(vault.path("a"), O_RDONLY)
            let target = try Posix.File(vault.path("b"), O_RDWR | O_CREAT)
            var copied = 0
            while true {
                let count = try LateCalls.copyRange(source.number, target.number, 10_000_000)
                #expect(count >= 0)
                if count <= 0 { break }
                copied += count
            }
            #expect(copied == bytes.count)
            try target.close()
            #expect(try Posix.read(vault.path("b")) == bytes)
            let same = try Posix.File(vault.path("a"), O_RDWR)
            lseek(same.number, 2_000_000, SEEK_SET)
            lseek(source.number, 0, SEEK_SET)
            #expect(try LateCalls.copyRange(source.number, same.number, 1000) == 1000)
            #expect(try source.read(1000, at: 2_000_000) == Array(bytes[..<1000]))
            try vault.lock()
        }
    }

    /// What a listing began with and nobody touched comes exactly once, whatever comes and goes meanwhile.
    @Test func listingWhileEntriesComeAndGo() throws {
        try TestVault.with { vault in
            try vault.mount()
            for index in 0..<2000 { try vault.write("", to: "stable \(index)") }
            for index in 0..<500 { try vault.write("", to: "going \(index)") }
            guard let stream = unsafe opendir(vault.directory) else { throw SystemFailure("opendir") }
            defer { unsafe _ = closedir(stream) }
            var seen: [String: Int] = [:]
            var step = 0
            while let entry = unsafe readdir(stream) {
                let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
                }
                seen[name, default: 0] += 1
                if step % 4 == 0, step / 4 < 500 {
                    try vault.write("", to: "coming \(step)")
                    try Posix.check(unsafe unlink(vault.path("going \(step / 4)")), "unlink")
                }
                step += 1
            }
            for index in 0..<2000 { #expect(seen["stable \(index)"] == 1, "stable \(index)") }
            #expect(seen.values.allSatisfy { $0 == 1 })
            #expect(try Posix.names(vault.directory).count == 2500)
            try vault.lock()
        }
    }

    @Test func namesOfAnyBytes() throws {
        try TestVault.with { vault in
            try vault.mount()
            let raw: [UInt8] = [0xFF, 0xFE, 0x0A, 0x22]
            let path = (Array(vault.directory.utf8) + [UInt8(ascii: "/")] + raw + [0]).map { CChar(bitPattern: $0) }
            let descriptor = unsafe open(path, O_WRONLY | O_CREAT, 0o644)
            #expect(descriptor >= 0)
            close(descriptor)
            try vault.write("x", to: String(repeating: "n", count: 255))
            #expect(try Posix.code { try vault.write("x", to: String(repeating: "n", count: 256)) } == ENAMETOOLONG)
            try remount(vault)
            #expect(try Posix.names(vault.directory).count == 2)
            try vault.lock()
        }
    }
}
