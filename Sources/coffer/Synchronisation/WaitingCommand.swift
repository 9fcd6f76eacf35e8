internal import Glibc
internal import Sealing

/// A command for the remote's password that came with the vault: what is said of it, and who is asked whether it may run here.
/// It may have a password in it, so its text goes to a terminal only, and only to who wants to see it.
enum WaitingCommand {
    static let notice =
        "the remote's password comes from a command that came with this vault and was never allowed on this machine: "
        + "`coffer sync` on a terminal shows it and asks"

    /// Shows the command to who sits at the terminal, and asks whether it may run on this machine from now on. Where nobody
    /// sits there, and where it is allowed already, nothing happens.
    static func offer(_ command: String?) {
        guard let command, isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1, !AllowedCommands.contains(command)
        else { return }
        Console.say(
            "The remote's password comes from a command that came with this vault and was never allowed on this machine."
        )
        guard isYes("Show it? There may be a password in it. [yes/no] ") else { return }
        for line in lines(of: command) { Console.say("    \(line)") }
        guard isYes("Run it on this machine, now and from now on? [yes/no] ") else { return }
        do { try AllowedCommands.add(command) } catch {
            Console.say("Warning: that this machine may run the command cannot be noted: \(error).")
        }
    }

    /// Each for itself: a line feed must not hide what stands behind it.
    static func lines(of command: String) -> [String] {
        command.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// No word is a no.
    private static func isYes(_ question: String) -> Bool {
        ["yes", "y"].contains((try? Console.ask(question, option: "yes"))?.lowercased() ?? "no")
    }
}

extension SyncClient {
    /// See ``WaitingCommand/offer(_:)``; where the vault is open in another process, that has the command.
    func offerCommand() {
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else { return }
        // A process of another version knows of no such thing, and says so to what is asked of it next.
        let nothing = SecretBytes(count: 0)
        guard let outcome = try? perform(.showCommand, secret: nothing) else { return }
        Interrupts.allowed { WaitingCommand.offer(outcome.command) }
    }
}
