import Foundation
import TestSupport
import Testing

/// Access control lists, which a vault does not have: programs that keep what a mode says succeed, and those that would
/// lose more are told.
@Suite struct AccessListTests {
    private func run(_ vault: TestVault, _ script: String, code: Int32 = 0) throws -> Command.Result {
        var command = vault.home.command("bash", ["-c", "set -u; m=m; ln -sfn \"$0\" m; \(script)", vault.directory])
        command.directory = vault.home.path
        return try command.run(expecting: code)
    }

    private func mode(_ path: String) throws -> UInt32 { try Posix.status(path).st_mode & 0o7777 }

    private func withSource(_ body: (TestVault) throws -> Void) throws {
        try TestVault.with { vault in
            try vault.mount()
            _ = try run(
                vault,
                """
                mkdir -p source/folder && echo a > source/a && echo b > source/folder/b
                chmod 640 source/a; chmod 751 source/folder; chmod 4755 source/folder/b
                setfattr -n user.note -v kept source/a
                """)
            try body(vault)
            try vault.lock()
        }
    }

    @Test(arguments: ["cp -a source/. $m/copy", "rsync -aAX source/ $m/copy/", "cp -a --preserve=all source/. $m/copy"])
    func copiesThatLoseNothingSucceed(_ program: String) throws {
        try withSource { vault in
            // A list that says what the mode says.
            _ = try run(vault, "setfacl -m u::rw,g::r,o::- source/a && \(program)")
            #expect(try mode(vault.path("copy/a")) == 0o640 && mode(vault.path("copy/folder")) == 0o751)
            #expect(try mode(vault.path("copy/folder/b")) == 0o4755)
            #expect(try run(vault, "getfattr --only-values -n user.note $m/copy/a").text == "kept")
            #expect(try run(vault, "getfacl -cpE $m/copy/a").text == "user::rw-\ngroup::r--\nother::---\n\n")
        }
    }

    /// Somebody would be shut out, or let in, whom the list named.
    @Test(arguments: ["cp -a source/. $m/copy", "rsync -aA source/ $m/copy/"])
    func copiesThatLoseAListSaySo(_ program: String) throws {
        try withSource { vault in
            let result = try run(vault, "setfacl -m u:65534:rw source/a && \(program) || echo failed")
            #expect(result.text.contains("failed") && result.errorText.contains("not supported"), "\(result.errorText)")
            #expect(try Posix.read(vault.path("copy/a")) == Array("a\n".utf8))
        }
    }

    @Test func aListThatIsAModeBecomesOne() throws {
        try TestVault.with { vault in
            try vault.mount()
            _ = try run(vault, "echo a > $m/a; chmod 2600 $m/a; mkdir $m/folder; stat -c %a $m/a > before")
            _ = try run(vault, "setfacl -m u::rwx,g::r-x,o::- $m/a && [ $(stat -c %a $m/a) = 2750 ]")
            _ = try run(vault, "setfacl -b $m/a && setfacl -k $m/folder")
            #expect(try mode(vault.path("a")) == 0o2750)
            // As the system call, which not every program has an answer for when it fails.
            let call = "import os, struct, sys; os.setxattr(sys.argv[1], 'system.posix_acl_access', "
            let list = "struct.pack('<I' + 'HHI' * 3, 2, 1, 6, -1 % 2**32, 4, 4, -1 % 2**32, 32, 0, -1 % 2**32))"
            try Command("/usr/bin/python3", ["-c", call + list, vault.path("a")]).run(expecting: 0)
            #expect(try mode(vault.path("a")) == 0o2640)
            _ = try run(vault, "setfacl -m u::rwx,g::r-x,o::- $m/a")
            _ = try run(
                vault, "! setfacl -m u:65534:r $m/a 2> /dev/null && ! setfacl -d -m o::r $m/folder 2> /dev/null")
            _ = try run(vault, "! setfattr -n security.note -v x $m/a 2> /dev/null")
            for _ in 0..<2 {
                #expect(try mode(vault.path("a")) == 0o2750)
                try vault.lock()
                try vault.mount()
            }
            try vault.lock()
        }
    }

    /// The mode is its owner's to change, by whichever call.
    @Test(.enabled(if: geteuid() == 0)) func onlyTheOwnerMaySetOne() throws {
        let parent = "/tmp/coffer-list-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: parent, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(atPath: parent) }
        try TestVault.with(in: parent) { vault in
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: vault.home.path)
            try vault.mount("-o", "allow_other")
            try Posix.check(unsafe chmod(vault.directory, 0o755), "chmod")
            try vault.write("a", to: "a")
            try Posix.check(unsafe chmod(vault.path("a"), 0o666), "chmod")
            let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "setfacl", "-m", "o::rwx"]
            #expect(try vault.home.command("setpriv", user + [vault.path("a")]).run().code != 0)
            #expect(try mode(vault.path("a")) == 0o666)
            try vault.lock()
        }
    }
}
