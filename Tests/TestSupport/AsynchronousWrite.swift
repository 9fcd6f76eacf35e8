internal import Glibc

/// io_submit(2), for which the C library has no function: writes that the kernel may go on with when the call has
/// returned.
@safe
public final class AsynchronousWrites {
    private var context: UInt = 0

    /// syscall(2), which is variadic.
    private typealias Call = @convention(c) (Int, UInt, UInt, UInt, UInt, UInt) -> Int
    private let call: Call

    #if arch(x86_64)
        private static let (setup, destroy, getEvents, submit) = (206, 207, 208, 209)
    #else
        private static let (setup, destroy, submit, getEvents) = (0, 1, 2, 4)
    #endif

    /// A context for one write at a time.
    public init() throws {
        guard let address = unsafe dlsym(nil, "syscall") else { throw TestFailure("the C library has no syscall") }
        call = unsafe unsafeBitCast(address, to: Call.self)
        let status = unsafe withUnsafeMutablePointer(to: &context) { pointer in
            call(Self.setup, 1, UInt(bitPattern: pointer), 0, 0, 0)
        }
        guard status == 0 else { throw SystemFailure("io_setup") }
    }

    deinit { _ = call(Self.destroy, context, 0, 0, 0, 0) }

    /// Writes all of `bytes` at the beginning of the file; returns when the kernel calls the write done.
    public func write(_ bytes: UnsafeRawBufferPointer, to file: Posix.File) throws {
        // struct iocb of <linux/aio_abi.h>: IOCB_CMD_PWRITE stands in the upper half of the third word.
        let opcode: UInt64 = 1
        let control: [UInt64] = [
            0, 0, opcode | UInt64(UInt32(bitPattern: file.number)) << 32, UInt64(UInt(bitPattern: bytes.baseAddress)),
            UInt64(bytes.count), 0, 0, 0,
        ]
        var event: [Int64] = [0, 0, 0, 0]
        let submitted = unsafe control.withUnsafeBufferPointer { control in
            unsafe withUnsafePointer(to: UInt(bitPattern: control.baseAddress)) { list in
                call(Self.submit, context, 1, UInt(bitPattern: list), 0, 0)
            }
        }
        guard submitted == 1 else { throw SystemFailure("io_submit") }
        let completed = unsafe event.withUnsafeMutableBufferPointer { events in
            call(Self.getEvents, context, 1, 1, UInt(bitPattern: events.baseAddress), 0)
        }
        guard completed == 1, event[2] == Int64(bytes.count) else { throw TestFailure("the write gave \(event)") }
    }
}
