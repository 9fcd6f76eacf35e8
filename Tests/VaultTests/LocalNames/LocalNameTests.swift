import Foundation
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Vault

/// Entries move between names that other devices hear of and names that stay here (backups, locks and swap files of
/// editors): the vault opens again, nothing that stood at a shared name is lost, and nothing is left over.
///
/// `COFFER_NAMES_SEED` repeats a run, `COFFER_NAMES_SEQUENCES` sets how many there are.
@Suite struct LocalNameTests {
    private static let environment = ProcessInfo.processInfo.environment

    /// `mv a a~; rm a~`, `sed -i~`, an autosave, a lock of GnuPG, vim's probe, and what else was found.
    static let known: [[NameStep]] = [
        [.save("a", 1, isLarge: false), .rename("a", "a~", flags: 0), .unlink("a~")],
        [
            .save("a", 1, isLarge: false), .save(".sedX", 2, isLarge: false), .link("a", "a~"),
            .rename(".sedX", "a", flags: 0), .unlink("a~"),
        ],
        [.save("a", 1, isLarge: true), .rename("a", "#a#", flags: 0), .unlink("#a#")],
        [
            .save("4913", 1, isLarge: false), .rename("4913", "T", flags: 0), .rename("T", "4913", flags: 0),
            .unlink("4913"),
        ],
        [
            .save("a", 1, isLarge: false), .link("a", "b"), .rename("a", "a~", flags: 0), .unlink("a~"), .unlink("b"),
        ],
        [
            .save("a", 1, isLarge: false), .rename("a", "a~", flags: 0), .rename("a~", "a", flags: 0), .unlink("a"),
            .save("a", 2, isLarge: false),
        ],
        [
            .save("c", 1, isLarge: false), .rename("c", "c~", flags: 0), .rename("c~", "a", flags: 0),
            .save("b", 2, isLarge: false), .rename("b", "a", flags: 0),
        ],
        [
            .save("a", 1, isLarge: false), .rename("a", "a~", flags: 0), .save("a", 2, isLarge: false),
            .rename("a~", "a", flags: 0), .unlink("a"),
        ],
        [
            .save("a", 1, isLarge: false), .rename("a", "a~", flags: 0), .save("a", 2, isLarge: false),
            .save("t", 3, isLarge: false), .rename("t", "a", flags: 0), .unlink("a~"),
        ],
        [
            .save("a", 1, isLarge: false), .rename("a", "a~", flags: 0), .save("a", 2, isLarge: false), .unlink("a"),
            .unlink("a~"),
        ],
        [
            .save("a", 1, isLarge: false), .save("a~", 2, isLarge: false), .rename("a~", "a", flags: 2), .unlink("a~"),
        ],
        [
            .save("a", 1, isLarge: false), .symbolicLink("a~"), .rename("a~", "a", flags: 2),
            .save("b", 2, isLarge: false),
            .rename("b", "a~", flags: 0),
        ],
        [
            .save("l", 1, isLarge: false), .save("a", 2, isLarge: true), .open("a", truncate: false),
            .rename("l", "a", flags: 0), .write(3), .close,
        ],
        [
            .save("b", 1, isLarge: true), .open("b", truncate: true), .unlink("b"), .save("b", 2, isLarge: true),
            .close,
        ],
        [.save(".a.swp", 1, isLarge: false), .save("a", 2, isLarge: false), .rename("a", ".a.swp", flags: 2)],
        [
            .create("a~"), .save("a", 2, isLarge: false), .rename("a", "a~", flags: 2), .unlink("a"), .unlink("a~"),
        ],
    ]

    @Test(arguments: known) func vaultOpensAgain(_ steps: [NameStep]) throws {
        let run = try NameRun()
        for isShared in [false, true] {
            let all = (isShared ? [.share] : []) + steps
            for isKilled in [false, true] {
                let fault = try run.fault(after: all, isKilled: isKilled)
                #expect(fault == nil, "\(all), killed: \(isKilled)")
            }
        }
    }

    @Test func sequencesOfAllClassesLoseNothing() throws {
        let seed = Self.environment["COFFER_NAMES_SEED"].flatMap { UInt64($0) } ?? .random(in: 0..<1_000_000_000)
        let count =
            Self.environment["COFFER_NAMES_SEQUENCES"].flatMap { Int($0) } ?? (Program.long ? 20_000 : 1000)
        print("local names: seed \(seed), \(count) sequences")
        let run = try NameRun()
        for number in 0..<count {
            var random = Randomness(seed: seed &+ UInt64(number))
            let steps = NameStep.sequence(&random)
            let isKilled = random.next() % 4 == 0
            guard try run.fault(after: steps, isKilled: isKilled) != nil else { continue }
            let (shortest, what) = try run.shrink(steps, isKilled: isKilled)
            let script = shortest.map(\.description).joined(separator: "; ")
            Issue.record("seed \(seed &+ UInt64(number))\(isKilled ? ", killed" : ""): \(script)\n\(what)")
            return
        }
    }

    /// What the program of before has left: a removed entry whose file was erased.
    @Test func brokenVaultOpensByItself() throws {
        let fixture = try Fixture()
        try fixture.fill { vault in
            try vault.save("b", "other")
            try vault.save("a", "text")
            try vault.unlink("a")
            let taken = vault.trash.withLock { $0.items.first?.fileSlot }
            let slot = try #require(taken)
            try vault.committer.withLock { committer in
                try committer.transaction { () throws(Errno) in try vault.eraseFile(slot, in: committer) }
            }
            let report = try vault.verify { _, _ in }
            #expect(report.damage.map(\.path) == ["a"], "what is called well has to open")
        }
        let vault = try fixture.open()
        #expect(vault.damage.isEmpty)
        #expect(try vault.text("b") == "other")
        #expect(vault.statistics().trash == 0)
        #expect(try vault.verify { _, _ in }.damage.isEmpty)
        let again = try fixture.reopen(vault)
        #expect(try again.verify { _, _ in }.damage.isEmpty)
        try again.close()
    }
}
