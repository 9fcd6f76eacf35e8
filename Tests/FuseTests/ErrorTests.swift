import CFuse
import Foundation
import TestSupport
import Testing

@testable import Fuse

/// What goes wrong reaches the program as an errno, and never leaves it waiting.
@Suite struct ErrorTests {
    private func code(_ mounted: Mounted, _ number: Int) throws -> Int32 {
        try Posix.code { _ = try Posix.status(mounted.path("errno \(number)")) }
    }

    /// The kernel takes 1 to 511; another number would leave the program without an answer.
    @Test func numbersThatTheKernelDoesNotTakeAreEIO() throws {
        try Mounted.with { mounted in
            for number in [Int(EPERM), Int(ENOENT), Int(ENOSPC), Int(EDQUOT), 511] {
                let found = try code(mounted, number)
                #expect(found == Int32(number))
            }
            for number in [0, -1, -17, 512, 513, 1000, Int(Int32.max)] {
                let found = try code(mounted, number)
                #expect(found == EIO, "\(number)")
            }
        }
    }

    @Test func errorsOfTheFileSystem() throws {
        try Mounted.with { mounted in
            #expect(try Posix.code { _ = try mounted.read("missing") } == ENOENT)
            #expect(try Posix.code { try mounted.write("no room", to: "file") } == ENOSPC, "close(2) tells it")
            let renamed = try LateCalls.rename(mounted.path("file"), mounted.path("other"), flags: 2)
            #expect(renamed == -1)
        }
    }

    /// A callback that neither replies nor fails: the program gets EIO instead of hanging.
    @Test func forgottenRequestIsEIO() throws {
        let home = try TemporaryHome()
        defer { home.remove() }
        let box = FileSystemBox(MemoryFiles())
        let device = Device(calling: box, wanted: Connection.wantedBits)
        defer { device.deallocate() }
        var table = Operations.table()
        unsafe table.statfs = { request, _ in _ = unsafe Request(request) }
        let strings: [String] = ["test", "-o", "fsname=forgetful"]
        var words = unsafe strings.map { unsafe strdup($0) }
        defer { unsafe words.forEach { unsafe free($0) } }
        let userData = unsafe device.userData
        let session = unsafe words.withUnsafeMutableBufferPointer { buffer in
            var arguments = unsafe fuse_args(argc: Int32(buffer.count), argv: buffer.baseAddress, allocated: 0)
            defer { unsafe fuse_opt_free_args(&arguments) }
            return unsafe fuse_session_new(&arguments, &table, MemoryLayout<fuse_lowlevel_ops>.size, userData)
        }
        guard let opened = unsafe session else { throw TestFailure("no session") }
        var isOver = false
        // Not under a loop that still runs.
        defer { if isOver { unsafe fuse_session_destroy(opened) } }
        let directory = try home.directory("mount")
        #expect(unsafe fuse_session_mount(opened, directory) == 0)
        #expect(unsafe device.attach(to: opened))
        let done = DispatchSemaphore(value: 0)
        // libfuse's session may be used from any thread; it outlives the loop, which is waited for.
        nonisolated(unsafe) let looping = unsafe opened
        Thread.detachNewThread {
            unsafe fuse_session_loop(looping)
            done.signal()
        }
        var space = statvfs()
        #expect(unsafe statvfs(directory, &space) == -1)
        #expect(errno == EIO)
        Mount.clear(below: directory)
        isOver = done.wait(timeout: .now() + 300) == .success
        #expect(isOver)
    }

    @Test func kernelsAreToldApartByTheirNumber() {
        let first = Connection.Release("6.18.3")
        for later in ["6.18.3-amd64", "6.18.44-fc-v595", "6.19.0", "6.19", "7.0-rc1", "10.1"] {
            #expect(Connection.Release(later) >= first, "\(later)")
        }
        for earlier in ["", "6.18", "6.18.2+deb14", "6.8.0-63-generic", "5.99.99", "what"] {
            #expect(Connection.Release(earlier) < first, "\(earlier)")
        }
    }
}
