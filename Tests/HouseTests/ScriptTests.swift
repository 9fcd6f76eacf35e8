import Foundation
import TestSupport
import Testing

/// The scripts that people call: well-formed, strict, and the mount(8) helpers translate what they are given.
@Suite struct ScriptTests {
    static let bash = ["Tests/run", "Tests/bench", "Mount/quickstart", "Mount/install", ".ci/run"]
    static let helpers = ["Mount/mount.coffer", "Mount/mount.fuse.coffer"]

    @Test(arguments: bash + helpers) func isExecutableAndWellFormed(_ path: String) throws {
        let full = "\(Program.root)/\(path)"
        #expect(FileManager.default.isExecutableFile(atPath: full))
        let shell = Self.bash.contains(path) ? "bash" : "sh"
        try Command(shell, ["-n", full]).run(expecting: 0)
        let text = try String(contentsOfFile: full, encoding: .utf8)
        #expect(text.contains(shell == "bash" ? "\nset -euo pipefail\n" : "\nset -eu\n"))
    }

    @Test(arguments: ["Tests/run", "Tests/bench", "Mount/install"]) func unknownOptionIsAUsageError(_ path: String)
        throws
    {
        try Command("\(Program.root)/\(path)", ["--no-such-option"]).run(expecting: 64)
    }

    @Test func helpIsPrinted() throws {
        for path in ["Tests/run", "Tests/bench", "Mount/quickstart", "Mount/install"] {
            let result = try Command("\(Program.root)/\(path)", ["--help"]).run(expecting: 0)
            #expect(result.text.contains(path), "\(path) --help names itself")
        }
    }

    /// A stand-in for coffer prints its arguments; what mount(8) would pass goes in.
    private func translate(_ arguments: [String], helper: String = "mount.coffer", code: Int = 0) throws
        -> Command.Result
    {
        let home = try TemporaryHome()
        let stand = try home.write("#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit \(code)\n", to: "tmp/coffer")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: stand)
        var command = home.command("\(Program.root)/Mount/\(helper)", arguments)
        command.environment?["PATH"] = "\(home.file("tmp")):/usr/bin:/bin"
        // A process that another test starts at this moment may hold the new file open for writing (ETXTBSY).
        for _ in 0..<20 {
            let result = try command.run()
            if !result.errorText.contains("busy") { return result }
        }
        return try command.run()
    }

    @Test(arguments: ["mount.coffer", "mount.fuse.coffer"]) func optionsAreTranslated(helper: String) throws {
        let options =
            "rw,noauto,user=me,idle=10m,allow_other,x-systemd.automount,poll=5s,no-sync,ro,no-cache,adopt,no-lock-on-suspend,passfile=/a b"
        let result = try translate(["/v 1", "/m 1", "-s", "-n", "-t", "fuse.coffer", "-o", options], helper: helper)
        #expect(result.code == 0)
        #expect(
            result.text.split(separator: "\n") == [
                "mount", "/m 1", "--vault", "/v 1", "-o", "rw", "-o", "noauto", "-o", "user=me", "--idle", "10m", "-o",
                "allow_other", "-o", "x-systemd.automount", "--poll", "5s", "--no-sync",
                "--read-only", "--no-cache", "--adopt",
                "--no-lock-on-suspend", "--password-file", "/a b",
            ])
    }

    @Test func pretendingMountsNothing() throws {
        let result = try translate(["v", "m", "-f", "-v"])
        #expect(result.code == 0)
        #expect(result.text.hasPrefix("mount.coffer: coffer mount m --vault v"))
    }

    /// mount(8) knows 1 (called wrongly) and 32 (did not mount).
    @Test(arguments: [(0, 0), (12, 32), (64, 1), (10, 32)]) func codesAreThoseOfMount(own: Int, expected: Int32) throws
    {
        #expect(try translate(["v", "m", "-o", "passfile=p"], code: own).code == expected)
    }

    @Test(arguments: [["v"], ["v", "m", "-o", "remount,ro"], ["v", "m", "-N", "1"], ["v", "m", "-q"]])
    func wrongCallsAreRefused(_ arguments: [String]) throws {
        #expect(try translate(arguments).code == 1)
    }
}
