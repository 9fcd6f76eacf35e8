import Foundation
import TestSupport
import Testing

/// What people and their programs do on two mounted devices, in the words of a shell.
@Suite struct HabitTests {
    struct Habit: Sendable, CustomTestStringConvertible {
        /// The number of its kind in issue 16.
        var number: String
        /// With `$A` and `$B` the folders, `sa` and `sb` the devices that synchronise.
        var steps: String
        /// What holds in each of the folders, `$M`.
        var result: String
        var testDescription: String { "\(number): \(steps)" }
    }

    static let all = [
        Habit(
            number: "1, a folder is made again",
            steps: """
                mkdir $A/d; echo old > $A/d/f; echo x > $A/d/g; sa; sb
                rm -r $A/d; mkdir $A/d; echo new > $A/d/f; sa; sb; sa
                """,
            result: "[ \"$(cat $M/d/f)\" = new ]; [ \"$(ls $M/d)\" = f ]"),
        Habit(
            number: "2, a link in a folder that is removed",
            steps: """
                mkdir $A/d; sa; sb; rmdir $A/d; ln -s 1 $B/d/f; sa; sb; sa; sb; sa
                ln -sfn 2 $B/d/f; sb; sa
                """,
            result: "[ \"$(readlink $M/d/f)\" = 2 ]"),
        Habit(
            number: "3, a file is edited that was moved over another one",
            steps: """
                echo 1 > $A/c; echo 2 > $A/b; sa; sb
                mv $A/c $A/b; echo new > $B/t; mv $B/t $B/c; sa; sb; sa
                """,
            result: "[ \"$(cat $M/c)\" = new ]"),
        Habit(
            number: "3, an empty file is written that was removed",
            steps: "touch $A/x; sa; sb; echo s > $A/x; rm $B/x; sa; sb; sa",
            result: "[ \"$(cat $M/x)\" = s ]"),
        Habit(
            number: "4, a name leads to another file",
            steps: "echo a > $A/a; echo c > $A/c; sa; sb; ln -f $A/a $A/c; echo edit >> $B/c; sa; sb; sa",
            result: "grep -rq edit $M"),
        Habit(
            number: "5, a conflict comes again",
            steps: """
                echo 0 > $A/f; sa; sb; echo on > $A/f; echo off > $B/f; sa; sb; sa; rm $A/f*; sa; sb
                echo 0 > $A/f; sa; sb; echo on > $A/f; echo off > $B/f; sa; sb; sa
                """,
            result: "[ \"$(cat $M/f* | sort | tr '\\n' ' ')\" = \"off on \" ]"),
        Habit(
            number: "6, a program writes on",
            steps: """
                echo 1 > $A/log; sa; sb; exec 9>> $B/log; echo 2 >> $A/log; sa; sb
                echo kept >&9; exec 9>&-; sb; sa
                """,
            result: "grep -rq kept $M; grep -q 2 $M/log"),
        Habit(
            number: "8, a program saves safely",
            steps: """
                echo 1 > $A/f; sa; sb
                mv $A/f $A/x.bak; echo 2 > $A/f; rm $A/x.bak; echo 3 > $B/f; sa; sb; sa
                """,
            result: "[ ! -e $M/x.bak ]; [ \"$(cat $M/f* | sort | tr '\\n' ' ')\" = \"2 3 \" ]"),
    ]

    /// A program that synchronises one device.
    private func synchroniser(_ vault: TestVault, named name: String) throws -> String {
        let command = try vault.coffer(["sync"])
        let words = (command.environment ?? [:]).map { "\($0.key)=\($0.value)" } + [command.program] + command.arguments
        let quoted = words.map { "'" + $0.replacingOccurrences(of: "'", with: "'\\''") + "'" }.joined(separator: " ")
        let path = vault.home.file(name)
        try Posix.write(Array("#!/bin/sh\nexec env -i \(quoted) > /dev/null\n".utf8), to: path)
        try Posix.check(unsafe chmod(path, 0o700), "chmod")
        return path
    }

    @Test func nothingIsLostOrComesBack() throws {
        try TwoDevices.with { devices in
            let (a, b) = (devices.a, devices.b)
            for device in [a, b] { try device.mount("--no-sync") }
            let (sa, sb) = (try synchroniser(a, named: "sa"), try synchroniser(b, named: "sb"))
            for (number, habit) in Self.all.enumerated() {
                let script = """
                    set -eu
                    IFS=
                    sa() { '\(sa)'; }; sb() { '\(sb)'; }
                    mkdir '\(a.directory)/h\(number)'; sa; sb
                    A='\(a.directory)/h\(number)' B='\(b.directory)/h\(number)'
                    \(habit.steps)
                    diff -r --no-dereference $A $B
                    for M in $A $B; do \(habit.result); done
                    """
                let result = try Command("bash", ["-c", script]).run()
                #expect(result.code == 0, "\(habit.number): \(result.text)\(result.errorText)")
            }
            for device in [a, b] { try device.lock() }
        }
    }
}
