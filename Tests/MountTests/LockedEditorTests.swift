import Foundation
import TestSupport
import Testing

/// Editors with a change are open when the vault is locked, and save it then: nothing of that stands in the folder below
/// the mount, in plaintext.
@Suite struct LockedEditorTests {
    enum Trigger: Sendable, CaseIterable { case lock, idle, suspend, kill }

    @Test(arguments: Trigger.allCases) func nothingStandsBelow(_ trigger: Trigger) throws {
        try TestVault.with { vault in
            let logind = try trigger == .suspend ? LogindStandIn(vault.home) : nil
            let environment = logind.map { ["DBUS_SYSTEM_BUS_ADDRESS": $0.address] } ?? [:]
            // Ends when nobody has it any more.
            let child = try vault.serve("--idle", trigger == .idle ? "2s" : "1d", environment: environment)
            if let logind {
                try logind.work("an inhibitor is taken") { !logind.inhibitions.isEmpty }
                try logind.waitUntilSignalsAreHandled()
            }
            let place = Place(vault: vault, prefix: [], program: try Program.coffer())
            try check(place, trigger, RunningProcess(child.identifier)) {
                try logind?.emit("PrepareForSleep", boolean: true)
                try logind?.work("the inhibitor is released") { try logind?.isReleased() ?? true }
            }
            try child.wait()
        }
    }

    /// Without rights, in a mount name space of its own: from here the folder is seen without the mount all the time.
    @Test(.enabled(if: geteuid() == 0), arguments: [Trigger.lock, .idle, .kill])
    func nothingStandsBelowForAnOrdinaryUser(_ trigger: Trigger) throws {
        try OrdinaryUser.with { user, vault in
            let holder = try user.script("touch \"$HOME/ready\"; exec tail -f /dev/null").start()
            try waitForFiles(in: vault.home.path, "the name space", by: holder) {
                FileManager.default.fileExists(atPath: vault.home.file("ready"))
            }
            let prefix = ["nsenter", "--mount=/proc/\(holder.identifier)/ns/mnt", "--"] + OrdinaryUser.words
            let place = Place(vault: vault, prefix: prefix, program: user.program)
            let password = ["--password-file", vault.passwordFile]
            try place.command(user.program, ["init", "--kdf-memory", "64"] + password).run(expecting: 0)
            let idle = ["--idle", trigger == .idle ? "2s" : "1d"]
            try place.command(user.program, ["mount", vault.directory] + idle + password).run(expecting: 0)
            try check(place, trigger, try vault.daemon()) {}
        }
    }

    // MARK: One lock

    /// Where programs are run that see the mount.
    private struct Place {
        let vault: TestVault
        let prefix: [String]
        let program: String

        func command(_ program: String, _ arguments: [String]) -> Command {
            let words = prefix + [program] + arguments
            return vault.home.command(words[0], Array(words.dropFirst()))
        }

        func script(_ text: String) -> Command { command("sh", ["-c", text, "sh", vault.directory]) }
    }

    private func check(
        _ place: Place, _ trigger: Trigger, _ daemon: RunningProcess, suspend: () throws -> Void
    ) throws {
        let vault = place.vault
        let names = Self.editors.flatMap { [$0.program, "folder/\($0.program)"] }
        // In use for as long as that file is not there, and no longer idle.
        let isBusy = try place.script("until [ -e \"$HOME/prepared\" ]; do stat -f \"$1\"; done").start()
        for name in names {
            try place.script("mkdir -p \"$1/folder\"; echo original text > \"$1/\(name)\"").run(expecting: 0)
        }
        let open = try Self.editors.flatMap { editor in
            try ["", "folder/"].map { try Session(editor, $0, place) }
        }
        for session in open { try session.change() }
        try place.script("touch \"$HOME/prepared\"").run(expecting: 0)
        try isBusy.wait()

        switch trigger {
        case .lock: try place.command(place.program, ["lock"]).run(expecting: 0)
        case .suspend: try suspend()
        case .idle: break
        case .kill: daemon.send(SIGKILL)
        }
        try daemon.waitForEnd()
        // A dead mount stays, and nothing below it is reached; then somebody takes it away.
        if trigger == .kill { try place.command("fusermount3", ["-u", "-z", vault.directory]).run(expecting: 0) }

        for session in open { try session.save() }
        #expect(try found(vault) == [], "while the editors are open")
        for session in open { try session.end() }
        #expect(try found(vault) == [], "when they have ended")

        let password = ["--password-file", vault.passwordFile]
        try place.command(place.program, ["mount", vault.directory] + password).run(expecting: 0)
        for name in names {
            #expect(try place.script("cat \"$1/\(name)\"").run(expecting: 0).text == "original text\n")
        }
        try place.command(place.program, ["lock"]).run(expecting: 0)
        #expect(try found(vault) == [])
    }

    private func found(_ vault: TestVault) throws -> [String] {
        try #require(FileManager.default.enumerator(atPath: vault.directory)).compactMap { $0 as? String }
    }

    // MARK: Editors

    /// They are given the whole path: what they do inside of a folder that has gone fails anyway.
    private struct Typist: Sendable {
        let program: String
        let arguments: [String]
        let terminal: String
        let change: String
        /// Keys that save, whatever becomes of that, and what is shown when it is over.
        let save: [(keys: String, answer: String)]
        let end: String
        /// What is asked where the folder is gone, and the answer.
        var question: (text: String, answer: String)?
    }

    private static let editors = [
        Typist(
            program: "vim", arguments: ["-N", "-u", "NONE", "-i", "NONE"], terminal: "xterm",
            change: "ochanged text\u{1B}:echo 'all'.'done'\r",
            // A key for each thing that it wants to be confirmed.
            save: [(":w\r\r:preserve\r\r:echo 'over'.'done'\r", "overdone")], end: "\r:q!\r"),
        Typist(
            program: "nano", arguments: ["--ignorercfiles"], terminal: "xterm", change: "changed text, alldone",
            save: [("\u{0F}", "File Name to Write"), ("\r\u{03}", "col ")], end: "\u{18}n"),
        // Keys that are typed ahead are dropped after an error: one key does it all.
        Typist(
            program: "emacs",
            arguments: [
                "-no-comp-spawn", "-nw", "-Q", "--eval",
                """
                (global-set-key [15] (lambda () (interactive)
                  (condition-case nil (do-auto-save) (error nil)) (condition-case nil (save-buffer) (error nil))
                  (message "over%s" "done")))
                """,
            ], terminal: "linux", change: "changed text, alldone", save: [("\u{0F}", "overdone")],
            end: "\u{1B}xkill-emacs\r", question: ("create?", "y")),
    ]

    /// An editor that has a file open.
    private final class Session {
        private let typist: Typist
        private let isDeep: Bool
        private let terminal: Pseudoterminal

        init(_ typist: Typist, _ folder: String, _ place: Place) throws {
            self.typist = typist
            isDeep = !folder.isEmpty
            let path = place.vault.path(folder + typist.program)
            var command = place.command(typist.program, typist.arguments + [path])
            command.environment?["TERM"] = typist.terminal
            terminal = try Pseudoterminal(command)
        }

        func change() throws {
            try terminal.expect("original text")
            try terminal.send(typist.change)
            try terminal.expect("alldone")
        }

        func save() throws {
            for (keys, answer) in typist.save {
                try terminal.send(keys)
                if isDeep, let question = typist.question {
                    try terminal.expect(question.text)
                    try terminal.send(question.answer)
                }
                try terminal.expect(answer)
            }
        }

        func end() throws {
            try terminal.send(typist.end)
            _ = try terminal.wait()
        }
    }
}
