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

        init(number: String, steps: String, result: String) {
            (self.number, self.steps, self.result) = (number, steps, result)
        }

        /// Edits of different fields merge, after a conflict whose copy somebody has dealt with.
        init(number: String, settling: String) {
            self.init(
                number: number,
                steps: """
                    write() { printf 'secret\\nuser: %s\\nurl: %s\\n' $2 $3 > $1/f; }
                    write $A 0 0; sa; sb; echo on > $A/f; echo off > $B/f; sa; sb; sa; \(settling); sa; sb
                    write $A 1 1; sa; sb; write $A 2 1; write $B 1 2; sa; sb; sa
                    """,
                result: "[ \"$(tail -n 2 $M/f | tr '\\n' ' ')\" = 'user: 2 url: 2 ' ]; [ \"$(ls $M)\" = f ]")
        }
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
            number: "1, a folder becomes a file",
            steps: "mkdir $A/d; echo old > $A/d/f; sa; sb; rm -r $A/d; echo new > $A/d; sa; sb; sa",
            result: "[ \"$(cat $M/d)\" = new ]; [ \"$(ls $M)\" = d ]"),
        Habit(
            number: "1, a folder becomes a link",
            steps: "mkdir $A/d; echo old > $A/d/f; sa; sb; rm -r $A/d; ln -s else $A/d; sa; sb; sa",
            result: "[ \"$(readlink $M/d)\" = else ]; [ \"$(ls $M)\" = d ]"),
        Habit(
            number: "1, another folder is moved to the name",
            steps: """
                mkdir $A/d $A/new; echo old > $A/d/f; echo x > $A/d/g; echo new > $A/new/f; sa; sb
                rm -r $A/d; mv -T $A/new $A/d; sa; sb; sa
                """,
            result: "[ \"$(cat $M/d/f)\" = new ]; [ \"$(ls $M/d)\" = f ]; [ \"$(ls $M)\" = d ]"),
        Habit(
            number: "1, checkouts of git",
            steps: """
                git() { command git -c init.defaultBranch=main -c user.name=a -c user.email=a -C $A "$@"; }
                git init -q; mkdir $A/d; echo old > $A/d/f; echo x > $A/d/g; git add .; git commit -qm one
                git checkout -qb two; git rm -qr d; echo new > $A/d; git add .; git commit -qm two; sa; sb
                git checkout -q main; sa; sb; git checkout -q two; sa; sb; sa
                """,
            result: "[ \"$(cat $M/d)\" = new ]; [ \"$(ls $M)\" = d ]; git -C $M diff --quiet HEAD"),
        Habit(
            number: "2, a link in a folder that is removed",
            steps: """
                mkdir $A/d; sa; sb; rmdir $A/d; ln -s 1 $B/d/f; sa; sb; sa; sb; sa
                ln -sfn 2 $B/d/f; sb; sa
                """,
            result: "[ \"$(readlink $M/d/f)\" = 2 ]"),
        Habit(
            number: "2, a folder changes places with a file whose name the other one gives to a folder",
            steps: """
                # Which folder keeps its name lies in identifiers.
                for n in 1 2 3 4 5 6 7 8; do mkdir $A/$n $A/$n/d; done; sa; sb
                for n in 1 2 3 4 5 6 7 8; do
                  echo 1 > $A/$n/f; swap $A/$n/d $A/$n/f; mkdir $B/$n/f; echo 2 > $B/$n/d/x
                done; sa; sb; sa; sb
                """,
            result: "for n in $M/*; do [ \"$(cat $n/d)\" = 1 ]; [ \"$(cat $n/f/x)\" = 2 ]; done"),
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
            number: "4, a file with two names is moved over another one",
            steps: """
                echo a > $A/a; ln $A/a $A/b; echo c > $A/c; sa; sb; mv $A/a $A/c; echo edit >> $B/c; sa; sb; sa
                """,
            result: "grep -rq edit $M"),
        Habit(
            number: "5, a conflict comes again",
            steps: """
                echo 0 > $A/f; sa; sb; echo on > $A/f; echo off > $B/f; sa; sb; sa; rm $A/f*; sa; sb
                echo 0 > $A/f; sa; sb; echo on > $A/f; echo off > $B/f; sa; sb; sa
                """,
            result: "[ \"$(cat $M/f* | sort | tr '\\n' ' ')\" = \"off on \" ]"),
        Habit(number: "5, fields merge again once a copy was removed", settling: "rm $A/f\\ *"),
        Habit(
            number: "5, fields merge again once a copy was edited and removed",
            settling: "echo x > $A/f\\ *; sa; sb; rm $A/f\\ *"),
        Habit(
            number: "5, fields merge again once a copy was renamed and removed",
            settling: "mv $A/f\\ * $A/g; sa; sb; rm $A/g"),
        Habit(
            number: "6, a program writes on",
            steps: """
                echo 1 > $A/log; sa; sb; exec 9>> $B/log; echo 2 >> $A/log; sa; sb
                echo kept >&9; exec 9>&-; sb; sa
                """,
            result: "grep -rq kept $M; grep -q 2 $M/log"),
        Habit(
            number: "6, a program writes on into what was saved by renaming",
            steps: """
                echo 1 > $A/log; sa; sb; exec 9>> $B/log; echo 2 > $A/t; mv $A/t $A/log; sa; sb
                echo kept >&9; exec 9>&-; sb; sa
                """,
            result: "grep -rq kept $M; [ \"$(cat $M/log)\" = 2 ]"),
        Habit(
            number: "6, a program writes on into what was removed",
            steps: "echo 1 > $A/log; sa; sb; exec 9>> $B/log; rm $A/log; sa; sb; echo kept >&9; exec 9>&-; sb; sa",
            result: "grep -q kept $M/log"),
        Habit(
            number: "8, a program saves safely",
            steps: """
                echo 1 > $A/f; sa; sb
                mv $A/f $A/x.bak; echo 2 > $A/f; rm $A/x.bak; echo 3 > $B/f; sa; sb; sa
                """,
            result: "[ ! -e $M/x.bak ]; [ \"$(cat $M/f* | sort | tr '\\n' ' ')\" = \"2 3 \" ]"),
        Habit(
            number: "8, what is written comes beside it, and takes its place",
            steps: """
                echo 1 > $A/f; sa; sb
                echo 2 > $A/t; mv $A/f $A/old.1; mv $A/t $A/f; rm $A/old.1; echo 3 > $B/f; sa; sb; sa
                """,
            result: "[ ! -e $M/old.1 ]; [ \"$(cat $M/f* | sort | tr '\\n' ' ')\" = \"2 3 \" ]"),
        Habit(
            number: "8, both change places",
            steps: """
                echo 1 > $A/f; sa; sb; echo 2 > $A/t; swap $A/t $A/f; rm $A/t; echo 3 > $B/f; sa; sb; sa
                """,
            result: "[ ! -e $M/t ]; [ \"$(cat $M/f* | sort | tr '\\n' ' ')\" = \"2 3 \" ]"),
    ]

    /// `mv --exchange` (coreutils 9.5).
    private static let exchange =
        "import ctypes, os, sys; sys.exit(ctypes.CDLL(None).renameat2(-100, *map(os.fsencode, sys.argv[1:2]), "
        + "-100, *map(os.fsencode, sys.argv[2:3]), 2))"

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
                    swap() { python3 -c '\(Self.exchange)' "$1" "$2"; }
                    files() { (cd $1; find . -type f -printf '%P %m %n %T@\n' | sort); }
                    mkdir '\(a.directory)/h\(number)'; sa; sb
                    A='\(a.directory)/h\(number)' B='\(b.directory)/h\(number)'
                    \(habit.steps)
                    diff -r --no-dereference $A $B
                    diff <(files $A) <(files $B)
                    for M in $A $B; do \(habit.result); done
                    """
                let result = try Command("bash", ["-c", script]).run()
                #expect(result.code == 0, "\(habit.number): \(result.text)\(result.errorText)")
            }
            for device in [a, b] { try device.lock() }
        }
    }
}
