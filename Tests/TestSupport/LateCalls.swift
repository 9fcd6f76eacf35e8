import Foundation

/// Calls of the C library that Swift's Glibc does not import: variadic ones, and those behind _GNU_SOURCE or in
/// headers of their own. They are found by their names in the running program.
public enum LateCalls {
    private static func find<F>(_ name: String, as type: F.Type) throws -> F {
        guard let address = unsafe dlsym(nil, name) else { throw TestFailure("the C library has no \(name)") }
        return unsafe unsafeBitCast(address, to: type)
    }

    /// pidfd_open(2)
    static func pidfdOpen(_ process: Int32, _ flags: UInt32) throws -> Int32 {
        let call = try find("pidfd_open", as: (@convention(c) (Int32, UInt32) -> Int32).self)
        return call(process, flags)
    }

    /// accept4(2) of a connection that no child inherits: -1 with the reason in errno.
    static func accept(_ socket: Int32) -> Int32 {
        typealias Call = @convention(c) (Int32, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int32) -> Int32
        guard let call = unsafe try? find("accept4", as: Call.self) else { return -1 }
        return call(socket, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
    }

    /// renameat2(2), with both names absolute: 0, or -1 with the reason in errno.
    public static func rename(_ old: String, _ new: String, flags: UInt32) throws -> Int32 {
        typealias Call = @convention(c) (Int32, UnsafePointer<CChar>, Int32, UnsafePointer<CChar>, UInt32) -> Int32
        let call = unsafe try find("renameat2", as: Call.self)
        return unsafe call(AT_FDCWD, old, AT_FDCWD, new, flags)
    }

    /// copy_file_range(2) at the descriptors' own offsets.
    public static func copyRange(_ source: Int32, _ target: Int32, _ count: Int) throws -> Int {
        typealias Call =
            @convention(c) (
                Int32, UnsafeMutablePointer<Int>?, Int32, UnsafeMutablePointer<Int>?, Int, UInt32
            ) -> Int
        let call = unsafe try find("copy_file_range", as: Call.self)
        return call(source, nil, target, nil, count, 0)
    }

    /// fallocate(2)
    public static func allocate(_ descriptor: Int32, mode: Int32, offset: Int, length: Int) throws -> Int32 {
        let call = try find("fallocate", as: (@convention(c) (Int32, Int32, Int, Int) -> Int32).self)
        return call(descriptor, mode, offset, length)
    }

    /// lsetxattr(2)
    public static func setAttribute(_ path: String, _ name: String, _ value: [UInt8], flags: Int32) throws -> Int32 {
        typealias Call =
            @convention(c) (
                UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<UInt8>, Int, Int32
            ) -> Int32
        let call = unsafe try find("lsetxattr", as: Call.self)
        return unsafe call(path, name, value, value.count, flags)
    }

    /// lgetxattr(2); nil with the reason in errno.
    public static func attribute(_ path: String, _ name: String) throws -> [UInt8]? {
        typealias Call =
            @convention(c) (
                UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafeMutablePointer<UInt8>, Int
            ) -> Int
        let call = unsafe try find("lgetxattr", as: Call.self)
        var value = [UInt8](repeating: 0, count: 65536)
        let count = unsafe call(path, name, &value, value.count)
        return count < 0 ? nil : Array(value[..<count])
    }

    /// lremovexattr(2)
    public static func removeAttribute(_ path: String, _ name: String) throws -> Int32 {
        typealias Call = @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Int32
        let call = unsafe try find("lremovexattr", as: Call.self)
        return unsafe call(path, name)
    }

    /// The names of llistxattr(2), sorted; nil with the reason in errno.
    public static func attributeNames(_ path: String) throws -> [String]? {
        typealias Call = @convention(c) (UnsafePointer<CChar>, UnsafeMutablePointer<UInt8>, Int) -> Int
        let call = unsafe try find("llistxattr", as: Call.self)
        var names = [UInt8](repeating: 0, count: 65536)
        let count = unsafe call(path, &names, names.count)
        if count < 0 { return nil }
        return names[..<count].split(separator: 0).map { String(decoding: $0, as: UTF8.self) }.sorted()
    }
}
