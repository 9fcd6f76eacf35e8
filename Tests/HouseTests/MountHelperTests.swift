import Foundation
import TestSupport
import Testing

/// mount(8) and an fstab line on a real vault. All happens in namespaces of their own: the helpers lie over
/// /usr/sbin for these processes only, and whatever is left ends with them.
@Suite(.enabled(if: getuid() == 0, "mount(8) needs root")) struct MountHelperTests {
    private let home: TemporaryHome
    private let directory: String

    init() throws {
        // mount(8) passes no environment on.
        home = try TemporaryHome(trueCost: true)
        directory = try home.directory("a folder")
        try home.write("seven-Quiet-otters-paint\n", to: "password")
        try home.coffer(
            "init", "--vault", home.file("my vault"), "--password-file", home.file("password"), "--kdf-memory", "64",
            "--kdf-passes", "3"
        ).run(expecting: 0)
        let helpers = try home.directory("helpers")
        for helper in ["mount.coffer", "mount.fuse.coffer"] {
            try FileManager.default.copyItem(atPath: "\(Program.root)/Mount/\(helper)", toPath: "\(helpers)/\(helper)")
        }
        try FileManager.default.createSymbolicLink(
            atPath: "\(helpers)/coffer", withDestinationPath: try Program.coffer())
    }

    /// Runs a script where the helpers are installed; `$dir`, `$vault` and `$options` are set.
    private func run(_ script: String) throws -> Command.Result {
        let prelude = """
            set -eu
            \(Mount.leaveOthers)
            dir='\(directory)' vault='\(home.file("my vault"))' options='password-file=\(home.file("password"))'
            mount -t overlay overlay -o "lowerdir=$HOME/helpers:/usr/sbin" /usr/sbin

            """
        return try home.command(
            "unshare", ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", prelude + script]
        ).run(expecting: 0)
    }

    @Test(arguments: ["coffer", "fuse.coffer"]) func mountByType(_ type: String) throws {
        let result = try run(
            """
            mount -t \(type) "$vault" "$dir" -o "$options"
            echo secret > "$dir/entry"
            coffer lock "$dir"
            ls -A "$dir"
            mount -t \(type) "$vault" "$dir" -o "$options,ro"
            cat "$dir/entry"
            ! touch "$dir/new" 2> /dev/null
            coffer lock "$dir"
            """)
        #expect(result.text.contains("secret\n"))
    }

    @Test func mountByFstab() throws {
        let line = [
            home.file("my vault"), directory, "coffer", "noauto,password-file=\(home.file("password"))", "0", "0",
        ]
        .map { $0.replacing(" ", with: "\\040") }.joined(separator: " ")
        try home.write(line + "\n", to: "fstab")
        let result = try run(
            """
            mount --fstab "$HOME/fstab" "$dir"
            echo secret > "$dir/entry" && cat "$dir/entry"
            mountpoint "$dir"
            coffer lock "$dir"
            """)
        #expect(result.text.hasPrefix("secret\n"))
    }

    /// In /sbin there are only links, and the program is in no folder of PATH: as after `Mount/install --prefix`.
    @Test(arguments: ["coffer", "fuse.coffer"]) func helperIsALink(_ type: String) throws {
        let installation = try home.directory("installation")
        for folder in ["bin", "sbin"] { _ = try home.directory("installation/\(folder)") }
        for helper in ["mount.coffer", "mount.fuse.coffer"] {
            try FileManager.default.moveItem(
                atPath: home.file("helpers/\(helper)"), toPath: "\(installation)/sbin/\(helper)")
            try FileManager.default.createSymbolicLink(
                atPath: home.file("helpers/\(helper)"), withDestinationPath: "\(installation)/sbin/\(helper)")
        }
        try FileManager.default.moveItem(atPath: home.file("helpers/coffer"), toPath: "\(installation)/bin/coffer")
        let result = try run(
            """
            mount -t \(type) "$vault" "$dir" -o "$options,noauto,nofail,x-systemd.automount,comment=mine,relatime"
            echo secret > "$dir/entry" && cat "$dir/entry"
            "$HOME/installation/bin/coffer" lock "$dir"
            """)
        #expect(result.text == "secret\n")
    }

    @Test func wrongPasswordIsAMountFailure() throws {
        try home.write("another-Loud-badger-sings\n", to: "password")
        let result = try run(
            """
            mount -t coffer "$vault" "$dir" -o "$options" || echo "code $?"
            """)
        #expect(result.text.contains("code 32\n"))
    }
}
