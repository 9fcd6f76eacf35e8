import Glibc

/// Other programs, through /bin/sh.
enum Shell {
    /// Runs a script; `arguments` are its $1, $2, ...
    static func run(_ script: String, _ arguments: String...) throws {
        let status = try execute(script, arguments)
        guard status == 0 else {
            throw SystemError(description: "\(script) \(arguments.joined(separator: " ")): status \(status)")
        }
    }

    /// What a script prints, without the last line feed; empty when it fails.
    static func output(_ script: String, _ arguments: String...) -> String {
        var name = Array("/tmp/coffer-bench-XXXXXX".utf8CString)
        let file = unsafe mkstemp(&name)
        guard file >= 0 else { return "" }
        defer { close(file) }
        let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unsafe _ = unlink(path) }
        guard (try? execute("{ \(script)\n} > '\(path)'", arguments)) == 0 else { return "" }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = unsafe pread(file, &bytes, bytes.count, 0)
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    private static func execute(_ script: String, _ arguments: [String]) throws -> Int32 {
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe (["sh", "-c", script, "sh"] + arguments)
            .map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { while let pointer = unsafe pointers.popLast() { unsafe free(pointer) } }
        var child: pid_t = 0
        let error = unsafe posix_spawn(&child, "/bin/sh", nil, nil, pointers, environ)
        guard error == 0 else { throw SystemError(description: "/bin/sh: error \(error)") }
        var status: Int32 = 0
        while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F)
    }
}
