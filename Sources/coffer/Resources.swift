internal import Foundation
internal import Glibc
internal import Vault

/// What any verb needs of the system, looked at before it does anything: where something runs out in the middle, the
/// program ends without a word (memory), or looks for the fault in the wrong place (files).
enum Resources {
    /// How many files a mount opens besides those that it was started with: 24 (measured), and with a remote some more.
    private static let files = 40
    /// Bytes for everything but the derivation of the key, which asks for its own, and the tree of a large vault: a mount
    /// of an empty vault takes half of it (measured).
    private static let memory: UInt64 = 48 << 20

    static func check() throws(Failure) {
        try checkFiles()
        guard Memory.has(memory) else {
            throw Failure(
                .otherError, "There is too little memory: \(memory >> 20) MiB are needed besides those for the key.",
                hint: "Raise the limits (ulimit -d, ulimit -v), or close other programs; nothing was done.")
        }
    }

    private static func checkFiles() throws(Failure) {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        // As far as a process may by itself; but not beyond what the programs that this one starts can handle with
        // select(2).
        let wanted = min(limit.rlim_max, 1024)
        if limit.rlim_cur < wanted {
            limit.rlim_cur = wanted
            unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        guard limit.rlim_cur < rlim_t(files + open(below: limit.rlim_cur)) else { return }
        throw Failure(
            .otherError, "Too few files can be opened here: the limit is \(limit.rlim_cur), and coffer needs \(files).",
            hint: "Raise the limit with `ulimit -n 256`; nothing was done.")
    }

    /// How many descriptors the process was started with, and has opened since.
    private static func open(below limit: rlim_t) -> Int {
        (0..<Int32(clamping: min(limit, rlim_t(2 * files)))).filter { fcntl($0, F_GETFD) >= 0 }.count
    }
}
