import Foundation
import TestSupport
import Testing

/// What the other tests stand on: a helper that never fails would let all of them pass.
@Suite struct SupportTests {
    @Test func outputErrorsAndCodeAreCollected() throws {
        let result = try Command("sh", ["-c", "cat; echo oh >&2; exit 3"], input: "in").run()
        #expect((result.code, result.text, result.errorText) == (3, "in", "oh\n"))
    }

    @Test func muchInputAndOutputPassThrough() throws {
        let text = String(repeating: "0123456789", count: 100_000)
        #expect(try Command("cat", input: text).run().text == text)
    }

    @Test func inputThatNobodyReadsIsNoError() throws {
        #expect(try Command("true", input: String(repeating: "x", count: 1_000_000)).run().code == 0)
    }

    @Test func aSignalIsSaidAsAShellSaysIt() throws {
        #expect(try Command("sh", ["-c", "kill -9 $$"]).run().code == 137)
    }

    @Test func aCommandThatHangsIsEnded() {
        #expect(throws: TestFailure.self) { try Command("sleep", ["1000"]).run(timeout: .milliseconds(50)) }
    }

    @Test func aDaemonThatKeepsTheOutputOpenIsNoReasonToWait() throws {
        let result = try Command("sh", ["-c", "sleep 20 & echo started"]).run(timeout: .seconds(10))
        #expect(result.text == "started\n")
    }

    @Test func missingProgramsAndOtherCodesAreFailures() {
        #expect(throws: TestFailure.self) { try Command("/no/such/program").run() }
        #expect(throws: TestFailure.self) { try Command("false").run(expecting: 0) }
    }

    @Test func aTerminalAsksAndIsAnswered() throws {
        let script = "test -t 0 && test -t 1 && printf 'name? ' && read name && echo \"hello $name\"; exit 5"
        let terminal = try Pseudoterminal(Command("sh", ["-c", script]))
        try terminal.expect("name? ")
        try terminal.send("you\n")
        try terminal.expect("hello you")
        #expect(try terminal.wait() == 5)
    }

    @Test func aTerminalIsTheControllingOne() throws {
        let terminal = try Pseudoterminal(Command("sh", ["-c", "echo ready; exec cat > /dev/tty"]))
        try terminal.expect("ready")
        try terminal.send("\u{03}")
        #expect(try terminal.wait() == 130)
    }

    @Test func textThatIsNotShownIsAFailure() throws {
        let terminal = try Pseudoterminal(Command("echo", ["something"]))
        #expect(throws: TestFailure.self) { try terminal.expect("else") }
    }

    @Test func aHomeGoesAwayWithItsOwner() throws {
        var path = ""
        do {
            let home = try TemporaryHome()
            path = home.path
            let shown = try home.command("sh", ["-c", "echo \"$HOME $XDG_DATA_HOME\"; pwd"]).run(expecting: 0)
            #expect(shown.text == "\(path) \(path)/.local/share\n\(path)\n")
        }
        #expect(!path.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test func filesAreWaitedFor() throws {
        let home = try TemporaryHome()
        let child = try home.command("sh", ["-c", "echo > one; mv one two"]).start()
        try waitForFiles(in: home.path, "two appears") { FileManager.default.fileExists(atPath: home.file("two")) }
        #expect(try child.wait() == 0)
        #expect(throws: TestFailure.self) {
            try waitForFiles(in: home.path, "three appears", timeout: .milliseconds(20)) { false }
        }
    }

    /// The mount table is waited for and read, and a home takes its mounts with it.
    @Test(.enabled(if: getuid() == 0, "mounting a tmpfs needs root")) func mountsAreSeenAndCleared() throws {
        let home = try TemporaryHome()
        let directory = try home.directory("a mount")
        let child = try home.command("mount", ["-t", "tmpfs", "source name", directory]).start()
        try waitForMounts("the tmpfs") { $0.contains { $0.directory == directory } }
        #expect(try child.wait() == 0)
        let mount = try #require(try Mount.below(home.path).first)
        #expect((mount.type, mount.source) == ("tmpfs", "source name"))
        home.remove()
        #expect(try Mount.below(home.path).isEmpty)
        #expect(!FileManager.default.fileExists(atPath: directory))
    }
}
