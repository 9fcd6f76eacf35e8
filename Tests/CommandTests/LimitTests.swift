import Foundation
import TestSupport
import Testing

/// Too few files and too little memory are said in a sentence: never a crash, and never "damaged".
@Suite struct LimitTests {
    private static let verbs = [
        ["ls"], ["show", "entry"], ["verify"], ["status"], ["kit", "--text"], ["devices"], ["sync"], ["passwd"],
        ["rotate"], ["verify", "--accept"], ["mount", "mount point"],
    ]

    private func limited(_ vault: TestVault, _ limit: String, _ words: [String]) throws -> Command.Result {
        let source = words == ["status"] ? [] : ["--password-file", vault.passwordFile]
        let arguments = ["-c", "ulimit \(limit) && exec \"$0\" \"$@\"", try Program.coffer()] + words + source
        return try vault.home.command("bash", arguments, input: "copper lantern 93 meadow\n").run()
    }

    private func withVault(_ body: (TestVault) throws -> Void) throws {
        try TestVault.with(trueCost: true) { vault in
            try vault.mount()
            try vault.write("s3cret\n", to: "entry")
            try Posix.write([UInt8](repeating: 0x61, count: 1 << 20), to: vault.path("large"))
            try vault.lock()
            try body(vault)
            #expect(!vault.isMounted)
            try vault.opened("verify").run(expecting: 0)
            #expect(try vault.opened("show", "entry").run(expecting: 0).text == "s3cret\n")
        }
    }

    @Test func fewFiles() throws {
        try withVault { vault in
            for (index, count) in (9...28).enumerated() {
                let verb = Self.verbs[index % Self.verbs.count]
                for words in [["show", "entry"], verb] {
                    let result = try limited(vault, "-n \(count)", words)
                    let sentence = "coffer: Too few files can be opened here: the limit is \(count), and coffer needs"
                    #expect(result.code == 1 && result.text.isEmpty, "\(count) \(words): \(result.code)")
                    #expect(result.errorText.hasPrefix(sentence), "\(count) \(words): \(result.errorText)")
                }
            }
            // A soft limit is raised.
            try #expect(limited(vault, "-S -n 20", ["show", "entry"]).text == "s3cret\n")
        }
    }

    @Test(arguments: ["-d 20000", "-d 40000"]) func littleMemory(_ limit: String) throws {
        try withVault { vault in
            for words in Self.verbs {
                let result = try limited(vault, limit, words)
                #expect(result.code == 1 && result.text.isEmpty, "\(words): \(result.code) \(result.errorText)")
                #expect(
                    result.errorText.hasPrefix("coffer: There is too little memory"), "\(words): \(result.errorText)")
            }
        }
    }

    /// Somewhere in between begins what is enough.
    @Test func memoryThatIsJustEnoughOrNot() throws {
        try withVault { vault in
            let limits = stride(from: 50_000, through: 130_000, by: 10_000).map { "-d \($0)" }
            for limit in limits + stride(from: 120_000, through: 260_000, by: 20_000).map({ "-v \($0)" }) {
                let result = try limited(vault, limit, ["verify"])
                // 127: not even the libraries have room.
                let isSaid = result.code == 1 && result.errorText.contains("memory") || result.code == 127
                #expect(result.code == 0 || isSaid, "\(limit): \(result.code) \(result.errorText)")
            }
        }
    }

    /// Enough for the program and not for the key is said, too.
    @Test func tooLittleForTheKey() throws {
        try TestVault.with(initialized: false, trueCost: true) { vault in
            try vault.make("--kdf-memory", "512")
            for words in [["ls"], ["verify"], ["mount", "mount point"], ["kit", "--text"]] {
                let result = try limited(vault, "-d 400000", words)
                #expect(
                    result.code == 1 && result.errorText.contains("not enough memory"), "\(words): \(result.errorText)")
            }
            #expect(!vault.isMounted)
        }
    }
}
