internal import ArgumentParser
internal import Glibc
internal import Sealing
internal import SystemPackage

/// The program: one file a verb. Errors of every layer become a sentence and an exit code here.
@main
struct Coffer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coffer",
        abstract: "A vault of secrets that is a folder while it is unlocked, and ciphertext at all other times.",
        discussion: """
            Make a vault, mount it, use it with any program, lock it:

              coffer init
              coffer mount ~/coffer
              cat ~/coffer/mail/gmail
              coffer lock

            Share it with your other devices:

              coffer remote set https://ann@cloud.example.org/dav/coffer/
              coffer sync
              coffer kit --output kit.png
              coffer join --kit kit.png        (on the other one)

            Exit codes: \(VerbHelp.list(ExitCode.allCases)).
            """,
        version: "0.1.0",
        subcommands: [
            Init.self, Mount.self, Lock.self, Status.self, LogCommand.self, List.self, Show.self, Verify.self,
            Passwd.self, BackupCommand.self, Compact.self, Settings.self, KitCommand.self, Account.self, Join.self,
            SyncCommand.self, RemoteCommand.self, Devices.self, HistoryCommand.self, Rotate.self,
        ])

    static func main() {
        ProcessHardening.apply()
        if let attendant = AttendantProcess.asked { attendant.run() }
        do {
            try checkEnvironment()
            let arguments = RawArguments.all
            try UnknownVerb.check(arguments)
            try perform(arguments)
            try Console.finish()
        } catch let failure as Failure {
            Console.endProgress()
            Console.fail(failure)
            Glibc.exit(failure.code.rawValue)
        } catch let silent as Silent {
            Glibc.exit(silent.code)
        } catch {
            // Usage errors: the parser knows what to say, and its code is 64.
            let lines = fullMessage(for: error).split(separator: "\n", omittingEmptySubsequences: false)
            for line in lines { Console.say(String(line)) }
            Glibc.exit(exitCode(for: error).rawValue)
        }
    }

    /// Swift's strings hold no other bytes: another file than the one that was named would be used.
    private static func checkEnvironment() throws {
        for variable in ["HOME", "COFFER_VAULT", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"] {
            guard let value = unsafe getenv(variable), unsafe String(validatingCString: value) == nil else { continue }
            throw notText(unsafe String(cString: value))
        }
    }

    /// The same for arguments, but for paths of entries.
    private static func checkArguments(_ arguments: [String], of command: any ParsableCommand) throws {
        var allowed = (command as? any TakesEntries)?.entryArguments ?? []
        for argument in arguments where !RawArguments.isText(argument) {
            guard let index = allowed.firstIndex(of: argument) else {
                throw notText(ShellQuoting.quoted(RawArguments.bytes(of: argument)))
            }
            allowed.remove(at: index)
        }
    }

    private static func notText(_ text: String) -> Failure {
        Failure(
            .usage, "\(text) is no text in UTF-8, as everything but the paths of entries has to be.",
            hint: "Give it a name in UTF-8.")
    }

    private static func perform(_ arguments: [String]) throws {
        do {
            var command = try parseAsRoot(arguments)
            try checkArguments(arguments, of: command)
            try Resources.check()
            try command.run()
        } catch {
            guard exitCode(for: error) == .success else { throw error }
            // What was asked for with --help and its like is a result.
            unsafe Console.result(Array((fullMessage(for: error) + "\n").utf8).span.bytes)
        }
    }
}
