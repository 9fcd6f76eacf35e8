import Foundation
import TestSupport
import Testing

/// What `ls` and `show` find is the vault's, and the same with and without a mount.
@Suite struct EntryTests {
    private struct Refusal {
        let arguments: [String]
        let sentence: String
    }

    private static let refusals = [
        Refusal(arguments: ["show", "../outside.txt"], sentence: "../outside.txt: `..` leads nowhere"),
        Refusal(arguments: ["show", "mail/../../outside.txt"], sentence: "`..` leads nowhere"),
        Refusal(arguments: ["ls", ".."], sentence: "`..` leads nowhere"),
        Refusal(arguments: ["ls", "mail/.."], sentence: "`..` leads nowhere"),
        Refusal(arguments: ["show", "link"], sentence: "link is a symbolic link, which is not followed."),
        Refusal(arguments: ["show", "out/outside.txt"], sentence: "There is no entry out/outside.txt in the vault."),
        Refusal(arguments: ["ls", "out"], sentence: "There is no folder out in the vault."),
        Refusal(arguments: ["show", ".coffer/lock"], sentence: "`.coffer` is not an entry"),
        Refusal(arguments: ["show", "/./.coffer/lock"], sentence: "`.coffer` is not an entry"),
        Refusal(arguments: ["ls", ".coffer"], sentence: "`.coffer` is not an entry"),
        Refusal(arguments: ["show", "pipe"], sentence: "pipe is no regular file"),
        Refusal(arguments: ["show", "mail"], sentence: "mail is a folder, not an entry."),
        Refusal(arguments: ["show", ""], sentence: "The top of the vault is a folder, not an entry."),
        Refusal(arguments: ["show", "none"], sentence: "no entry none in the vault.\n        See what there is"),
        Refusal(arguments: ["show", "mail/gmail", "user"], sentence: "has no field `user`.\n        The fields are"),
        Refusal(arguments: ["show", "mail/gmail", ""], sentence: "has no field ``.\n        The fields are"),
        Refusal(arguments: ["show", "mail/gmail/x"], sentence: "There is no entry mail/gmail/x in the vault."),
        Refusal(arguments: ["ls", "none"], sentence: "There is no folder none in the vault."),
        Refusal(arguments: ["ls", "mail/gmail"], sentence: "There is no folder mail/gmail in the vault."),
    ]

    @Test(arguments: [true, false]) func nothingOutsideOfTheVaultIsFound(mounted: Bool) throws {
        try TestVault.with { vault in
            try vault.home.write("the host's", to: "outside.txt")
            try vault.mount()
            try unsafe Posix.check(mkdir(vault.path("mail"), 0o700), "mkdir")
            try vault.write("s3cret\n", to: "mail/gmail")
            try unsafe Posix.check(symlink("../outside.txt", vault.path("link")), "symlink")
            try unsafe Posix.check(symlink("..", vault.path("out")), "symlink")
            try unsafe Posix.check(mkfifo(vault.path("pipe"), 0o600), "mkfifo")
            if !mounted { try vault.lock() }
            for refusal in Self.refusals {
                let result = try vault.coffer(refusal.arguments, input: TestVault.password).run(expecting: 1)
                #expect(result.text.isEmpty && result.errorText.contains(refusal.sentence), "\(refusal)")
            }
            #expect(vault.isMounted == mounted, "reading a control file would have locked it")
            #expect(try vault.opened("show", "//mail/./gmail/").run(expecting: 0).text == "s3cret\n")
            if mounted { try vault.lock() }
        }
    }

    /// A name that is no text is listed with what is text of it; the others are not held up by it.
    @Test func listsAreTheSameMountedAndNot() throws {
        try TestVault.with { vault in
            try vault.mount()
            try unsafe Posix.check(mkdir(vault.path("mail"), 0o700), "mkdir")
            try vault.write("s3cret\n", to: "entry")
            try vault.home.command("bash", ["-c", "touch \"$0\"/$'bad\\xff'", vault.directory]).run(expecting: 0)
            try unsafe Posix.check(symlink("nowhere", vault.path("link")), "symlink")
            let mounted = [try vault.opened("ls"), try vault.opened("ls", "--json")]
            let texts = try mounted.map { try $0.run(expecting: 0).text }
            #expect(texts[0] == "bad\u{FFFD}\nentry\nlink\nmail/\n")
            try vault.lock()
            #expect(try vault.opened("ls").run(expecting: 0).text == texts[0])
            #expect(try vault.opened("ls", "--json").run(expecting: 0).text == texts[1])
        }
    }

    @Test func whatVanishesWhileAFolderIsListedIsLeftOut() throws {
        try TestVault.with { vault in
            try vault.mount()
            try unsafe Posix.check(mkdir(vault.path("folder"), 0o700), "mkdir")
            let loop = "cd \"$0\"; while :; do touch {1..500}; rm {1..500}; done"
            let changes = try vault.home.command("bash", ["-c", loop, vault.path("folder")]).start()
            for _ in 0..<30 { try vault.opened("ls", "folder").run(expecting: 0) }
            changes.kill()
            try changes.wait()
            try vault.lock()
        }
    }
}
