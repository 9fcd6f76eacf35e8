import Foundation
import TestSupport

/// A program that changes a file as a person makes it do so: in two saves of one session, or of two.
struct Editor: CustomStringConvertible, Sendable {
    /// Its settings too; makes the name of the file that it edits.
    let description: String
    let program: String
    var arguments: [String] = []
    var terminalType = "xterm"
    let steps: [Step]
    /// Keeps the text before the last save, or before the session, as `name~`.
    var keepsBackup = false

    enum Step: Sendable {
        case type(String)
        /// Keys that begin a save.
        case save(String)
        /// Text that is shown, behind what was seen before.
        case see(String)
        /// A file that comes, beside the edited one; the percent sign is that one's name.
        case find(String)
    }

    /// What the file holds at first, and after each save.
    static let texts = ["original text\n", "first save\n", "second save\n"]

    /// What is done before the first save.
    var preparations: [Step] {
        steps.split(maxSplits: 1) { if case .save = $0 { true } else { false } }.first.map(Array.init) ?? []
    }

    var file: String { description.replacing(" ", with: "-") }

    func start(in directory: String, _ home: TemporaryHome) throws -> Pseudoterminal {
        var command = home.command(program, arguments + [file])
        command.directory = directory
        command.environment?["TERM"] = terminalType
        return try Pseudoterminal(command)
    }

    // MARK: Those that ask for a terminal

    /// Vim with every combination of what decides how it saves (`:help backup-table`, `:help swap-file`).
    static let vims: [Editor] = [true, false].flatMap { backup in
        [true, false].flatMap { writeBackup in
            ["yes", "no", "auto"].flatMap { copy in
                [true, false].map { swap in vim(backup, writeBackup, copy, swap) }
            }
        }
    }

    private static func vim(_ backup: Bool, _ writeBackup: Bool, _ copy: String, _ swap: Bool) -> Editor {
        func word(_ name: String, _ isSet: Bool) -> String { isSet ? name : "no" + name }
        let words = [
            word("backup", backup), word("writebackup", writeBackup), "backupcopy=\(copy)", word("swapfile", swap),
        ]
        // By default there are no backups below /tmp, where the tests are.
        let settings = "set \(words.joined(separator: " ")) backupskip="
        return Editor(
            description: "vim " + words.joined(separator: " "), program: "vim",
            arguments: ["-N", "-u", "NONE", "-i", "NONE", "--cmd", settings],
            steps: [
                .see("original"), .type(":s/original text/first save/\r"), .see("first save"),
                .find(swap ? ".%.swp" : "%"), .save(":w\r"), .see("written"),
                .type(":s/first/second/\r"), .see("second save"), .save(":w\r"), .see("written"), .type(":q\r"),
            ], keepsBackup: backup)
    }

    private static func nano(_ name: String, _ options: String...) -> Editor {
        // Control-K cuts the line, Control-O and Return save it under its name.
        Editor(
            description: name, program: "nano", arguments: ["--ignorercfiles"] + options,
            steps: [
                .see("original"), .type("\u{0B}first save"), .save("\u{0F}"), .see("File Name to Write"), .type("\r"),
                .see("Wrote"), .type("\u{1B}\\\u{0B}second save"), .save("\u{0F}"), .see("File Name to Write"),
                .type("\r"), .see("Wrote"), .type("\u{18}"),
            ], keepsBackup: !options.isEmpty)
    }

    /// With its lock `.#name` and, asked for, its autosave `#name#`; the old file becomes the backup.
    static let emacs = Editor(
        description: "emacs", program: "emacs",
        // Below /tmp, where the tests are, there would be no backups. While it compiles itself in the background, it gives a
        // shell the name of a temporary file, unquoted (jka-compr.el): a file stays behind that ends at the home's blank.
        arguments: ["-no-comp-spawn", "-nw", "-Q", "--eval", "(setq backup-enable-predicate (lambda (name) t))"],
        terminalType: "linux",
        steps: [
            .see("original"), .type("\u{18}h\u{17}first save\r"), .find(".#%"),
            .type("\u{1B}xdo-auto-save\r"), .find("#%#"), .save("\u{18}\u{13}"), .see("Wrote"),
            .type("\u{18}h\u{17}second save\r"), .save("\u{18}\u{13}"), .see("Wrote"),
            .type("\u{18}\u{03}"),
        ], keepsBackup: true)

    private static let ed = Editor(
        description: "ed", program: "ed", arguments: ["-v", "-p", ">"],
        steps: [
            .see(">"), .type("s/original text/first save/\n"), .see(">"), .save("w\n"), .see(">"),
            .type("s/first/second/\n"), .see(">"), .save("w\n"), .see(">"), .type("q\n"),
        ])

    // MARK: Those that do not

    /// GNU sed writes `sedXXXXXX` and renames it over the file.
    private static let sed = Editor(
        description: "sed", program: "sh",
        arguments: ["-c", "sed -i 's/original text/first save/' \"$0\" && sed -i s/first/second/ \"$0\""], steps: [])

    /// The recipe of GLib, Qt and many others: a temporary file with the old one's mode, fsync, rename.
    private static let rename = Editor(
        description: "rename", program: "sh",
        arguments: [
            "-c",
            """
            for text in 'first save' 'second save'; do
                echo "$text" > "$0.XyZ123" && chmod --reference="$0" "$0.XyZ123" && sync "$0.XyZ123" || exit
                mv "$0.XyZ123" "$0" || exit
            done
            """,
        ], steps: [])

    static let others = [nano("nano"), nano("nano backup", "-B"), emacs, ed, sed, rename]
}
