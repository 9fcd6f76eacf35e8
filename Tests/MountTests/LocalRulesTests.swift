import Foundation
import TestSupport
import Testing

/// Rules that programs know from local file systems.
@Suite struct LocalRulesTests {
    /// Writes into a file of each mode, as its owner, as another user, as one in the file's group, and as root without
    /// CAP_FSETID, and prints what is left of the set-id bits.
    private static let setIDs = #"""
        other() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
        member() { setpriv --reuid=65534 --regid=65534 --groups=0 "$@"; }
        bare() { setpriv --bounding-set=-fsetid --inh-caps=-fsetid "$@"; }
        cd "$1"
        for mode in 6666 6676 6766 6777 2676 2666 4777; do
            for change in 'printf y >> f' 'truncate -s 100 f' ': > f' 'fallocate -l 200000 f' \
                'fallocate -n -l 300000 f' 'fallocate -p -o 65536 -l 65536 f' 'fallocate -z -o 300 -l 65536 f' \
                'chown :65534 f' 'chown 65534 f'; do
                for who in env other member bare; do
                    rm -f f
                    head -c 196608 /dev/zero > f
                    case "$who $change" in "other chown"* | "member chown"*) chown 65534 f ;; esac
                    chmod $mode f
                    $who sh -c "$change" 2> /dev/null || true
                    echo "$mode, $change, $who: $(stat -c %a f)"
                done
            done
        done
        """#

    @Test(.enabled(if: geteuid() == 0)) func setIDsGoAsInAPlainFolder() throws {
        let parent = "/tmp/coffer-rules-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: parent, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(atPath: parent) }
        try TestVault.with(in: parent) { vault in
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: vault.home.path)
            try vault.mount("-o", "allow_other")
            try Posix.check(unsafe mkdir(vault.path("folder"), 0o755), "mkdir")
            let plain = try vault.home.directory("plain")
            for folder in [vault.directory, vault.path("folder"), plain] {
                try Posix.check(unsafe chmod(folder, 0o777), "chmod")
            }
            func run(in folder: String) throws -> [Substring] {
                let command = Command("bash", ["-c", Self.setIDs, "bash", folder])
                return try command.run(expecting: 0).text.split(separator: "\n")
            }
            let (wanted, found) = (try run(in: plain), try run(in: vault.path("folder")))
            #expect(wanted.count == 7 * 9 * 4)
            #expect(zip(wanted, found).filter { $0 != $1 }.map { "\($1), and \($0) in a plain folder" } == [])
            try vault.lock()
        }
    }

    /// Reading leaves the access time, and the mount says so; who sets it finds it.
    @Test func accessTimesStayAndTheMountSaysSo() throws {
        try TestVault.with { vault in
            try vault.mount()
            let options = try Mount.below(vault.directory).first?.options.split(separator: ",") ?? []
            #expect(options.contains("noatime") && !options.contains("relatime"))
            try vault.write("text", to: "file")
            let path = vault.path("file")
            for wanted in [1_234_567_890, 1] {
                let times = [timespec(tv_sec: wanted, tv_nsec: 5), timespec(tv_sec: 2_000_000_000, tv_nsec: 0)]
                try Posix.check(unsafe utimensat(AT_FDCWD, path, times, 0), "utimensat")
                #expect(try vault.read("file") == "text")
                let status = try Posix.status(path)
                #expect(status.st_atim.tv_sec == wanted && status.st_atim.tv_nsec == 5)
            }
            try vault.lock()
        }
    }
}
