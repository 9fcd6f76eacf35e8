import Foundation
import TestSupport
import Testing

/// `Mount/install` into a folder of its own: everything is there, well-formed, and goes away again.
@Suite struct InstallTests {
    private static let verbs = [
        "init", "mount", "lock", "status", "log", "ls", "show", "verify", "passwd", "kit", "join", "sync", "devices",
        "devices-revoke", "devices-rename", "devices-leave", "history", "rotate", "backup", "backup-create",
        "backup-verify", "backup-restore", "remote", "remote-set", "remote-show", "remote-clear", "remote-rebuild",
    ]
    private static let manual = ["coffer"] + verbs.map { "coffer-\($0)" }

    private let home: TemporaryHome

    init() throws {
        home = try TemporaryHome()
    }

    @discardableResult
    private func install(_ arguments: String...) throws -> Command.Result {
        var command = home.command(
            "\(Program.root)/Mount/install", ["--prefix", "/usr", "--program", try Program.coffer()] + arguments)
        command.environment?["DESTDIR"] = home.file("tree")
        return try command.run(expecting: 0)
    }

    private func installed() -> Set<String> {
        let all = FileManager.default.enumerator(atPath: home.file("tree"))?.allObjects ?? []
        return Set(
            all.compactMap { $0 as? String }.filter { path in
                var isDirectory: ObjCBool = false
                _ = unsafe FileManager.default.fileExists(atPath: home.file("tree/\(path)"), isDirectory: &isDirectory)
                return !isDirectory.boolValue
            })
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: home.file("tree/usr/\(path)"), encoding: .utf8)
    }

    @Test func installsEverythingAndRemovesIt() throws {
        try home.write("not ours", to: "tmp/other")
        try install()
        let expected = Set(
            [
                "bin/coffer", "sbin/mount.coffer", "sbin/mount.fuse.coffer", "share/systemd/user/coffer@.service",
                "share/bash-completion/completions/coffer", "share/zsh/site-functions/_coffer",
                "share/fish/vendor_completions.d/coffer.fish",
            ] + Self.manual.map { "share/man/man1/\($0).1" })
        #expect(installed() == Set(expected.map { "usr/\($0)" }))
        for path in expected {
            let mode = try Posix.status(home.file("tree/usr/\(path)")).st_mode & 0o7777
            #expect(mode == (path.contains("bin/") ? 0o755 : 0o644), "\(path)")
        }
        let version = try home.command(home.file("tree/usr/bin/coffer"), ["--version"]).run(expecting: 0)
        #expect(version.text == "0.1.0\n")
        try home.command("bash", ["-n", home.file("tree/usr/share/bash-completion/completions/coffer")])
            .run(expecting: 0)
        #expect(try text("share/zsh/site-functions/_coffer").hasPrefix("#compdef coffer"))
        #expect(try text("share/fish/vendor_completions.d/coffer.fish").contains("complete -c 'coffer'"))
        for verb in Self.verbs {
            #expect(
                try text("share/bash-completion/completions/coffer").contains(
                    "_coffer_\(verb.replacing("-", with: "_"))"))
        }

        try FileManager.default.moveItem(atPath: home.file("tmp/other"), toPath: home.file("tree/usr/bin/other"))
        try install()
        try install("--uninstall")
        #expect(installed() == ["usr/bin/other"])
        try install("--uninstall")
    }

    /// Where an earlier version has put the unit, it would stay for ever, and hide nothing.
    @Test func theUnitOfAnEarlierVersionGoes() throws {
        for isInstalling in [true, false] {
            try FileManager.default.createDirectory(
                atPath: home.file("tree/usr/lib/systemd/user"), withIntermediateDirectories: true)
            try home.write("", to: "tree/usr/lib/systemd/user/coffer@.service")
            if isInstalling { try install() } else { try install("--uninstall") }
            #expect(!installed().contains("usr/lib/systemd/user/coffer@.service"))
        }
    }

    /// Each page has the sections of man-pages(7) in their order, and only requests of man(7).
    @Test func manualPages() throws {
        try install()
        let requests: Set = ["TH", "SH", "PP", "TP", "B", "BR", "I", "nf", "fi", "RS", "RE"]
        let order = [
            "NAME", "SYNOPSIS", "DESCRIPTION", "ARGUMENTS", "OPTIONS", "SUBCOMMANDS", "EXIT STATUS", "FILES", "EXAMPLE",
            "SEE ALSO",
        ]
        for page in Self.manual {
            let lines = try text("share/man/man1/\(page).1").split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.first?.hasPrefix(".TH \(page.uppercased()) 1 ") == true)
            for line in lines where line.hasPrefix(".") {
                #expect(requests.contains(String(line.dropFirst().prefix { $0 != " " })), "\(page): \(line)")
            }
            for line in lines.dropFirst() {
                #expect(!line.contains(#/(^|[^\\])-/#), "\(page): a hyphen for a minus: \(line)")
            }
            let sections = lines.filter { $0.hasPrefix(".SH ") }.map { String($0.dropFirst(4)) }
            #expect(sections == order.filter { sections.contains($0) }, "\(page)")
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"] {
                #expect(sections.contains(section), "\(page) has no \(section)")
            }
            #expect(lines.filter { $0 == ".nf" }.count == lines.filter { $0 == ".fi" }.count)
            #expect(lines.filter { $0 == ".RS" }.count == lines.filter { $0 == ".RE" }.count)
        }
        let mount = try text("share/man/man1/coffer-mount.1")
        #expect(mount.contains(".TP\n.B \\-\\-idle <time>\n") && mount.contains(".TP\n.B 10\nmount point unusable\n"))
        #expect(!mount.contains("ready"), "what only the program itself uses is not for people")
    }

    @Test func wrongCalls() throws {
        let script = "\(Program.root)/Mount/install"
        try home.command(script, ["--prefix", "usr"]).run(expecting: 1)
        try home.command(script, ["--prefix"]).run(expecting: 64)
        try home.command(script, ["--program", home.file("none")]).run(expecting: 1)
    }
}
