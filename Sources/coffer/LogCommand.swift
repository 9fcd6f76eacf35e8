internal import ArgumentParser

struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Say what went wrong in the background: a save, a push, an alarm.",
        discussion: VerbHelp.text(
            """
            The lines are in $XDG_STATE_HOME/coffer/log, the oldest first, and have no names of entries; \
            `coffer status` and `coffer lock` have. The system's journal has them, too: `journalctl -t coffer`.
            """,
            examples: ["coffer log"], codes: []))

    @OptionGroup var vault: VaultOptions

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        let lines = LogFile.lines(of: Directories.resolved(vault.path))
        if json { return Console.json(lines) }
        if lines.isEmpty { Console.say("Nothing has gone wrong in the background.") }
        for line in lines { Console.result("\(line.time)  \(line.message)") }
    }
}
