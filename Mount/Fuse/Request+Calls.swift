internal import CFuse
internal import Glibc
internal import SystemPackage

/// Calling the file system: what it returns is the reply, what it throws the error.
extension Request {
    consuming func run(_ body: (any FileSystem) throws(Errno) -> Void) {
        do throws(Errno) { try body(fileSystem) } catch { return fail(error) }
        succeed()
    }

    consuming func entry(_ body: (any FileSystem, Caller) throws(Errno) -> Entry) {
        let entry: Entry
        do throws(Errno) { entry = try body(fileSystem, caller) } catch { return fail(error) }
        reply(entry)
    }

    consuming func attributes(_ body: (any FileSystem) throws(Errno) -> FileStatus) {
        let attributes: FileStatus
        do throws(Errno) { attributes = try body(fileSystem) } catch { return fail(error) }
        reply(attributes)
    }

    consuming func count(_ body: (any FileSystem) throws(Errno) -> Int) {
        let count: Int
        do throws(Errno) { count = try body(fileSystem) } catch { return fail(error) }
        reply(written: count)
    }

    /// For readdir: a filler with room for what the kernel asked for.
    consuming func directory(
        size: Int, isPlus: Bool, _ body: (any FileSystem, DirectoryFiller) throws(Errno) -> Void
    ) {
        let pool = device.box.fillers
        let filler = pool.take(size: size, isPlus: isPlus)
        defer { pool.giveBack(filler) }
        do throws(Errno) { try body(fileSystem, filler) } catch { return fail(error) }
        reply(filler)
    }

    /// How bytes are to be answered.
    enum ByteReply {
        /// As many as there is room for.
        case data(Int)
        /// All of them, for a caller with so much room, who asks for the length with 0.
        case sized(Int)
    }

    /// For an operation that hands out bytes: the first ones are the reply, and none are an empty one.
    consuming func bytes(
        as form: ByteReply, _ body: (any FileSystem, (RawSpan) -> Void) throws(Errno) -> Void
    ) {
        let fileSystem = fileSystem
        var pending: Request? = self
        do throws(Errno) {
            try body(fileSystem) { bytes in
                if let request = pending.take() { request.reply(bytes, as: form) }
            }
            if let request = pending.take() { request.reply(RawSpan(), as: form) }
        } catch {
            if let request = pending.take() { request.fail(error) }
        }
    }

    private consuming func reply(_ bytes: RawSpan, as form: ByteReply) {
        switch form {
        case .data(let room): reply(bytes.extracting(first: min(room, bytes.byteCount)))
        case .sized(0): reply(size: bytes.byteCount)
        case .sized(let room): if bytes.byteCount > room { fail(.outOfRange) } else { reply(bytes) }
        }
    }
}
