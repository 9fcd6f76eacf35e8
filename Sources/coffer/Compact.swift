internal import ArgumentParser
internal import Vault

struct Compact: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the vault's files as small as what is in them.",
        discussion: VerbHelp.text(
            """
            Room that has become free in the files is used again anyway, and large contents give theirs back to the disk at \
            once. This gives back the rest. A mounted vault goes on meanwhile, but its writers wait. History and trash \
            stay, as far as `coffer settings` allows. Rewriting needs about twice the size of the vault's file free; where \
            there is less, as much is given back as goes without.
            """,
            examples: ["coffer compact"],
            codes: .opening))

    @OptionGroup var vault: VaultOptions
    @OptionGroup var password: PasswordOptions

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        guard let done = try vault.synchronise(.compact, password).compaction else {
            throw Failure(.otherError, "The mounted vault gave no answer.")
        }
        if json { return Console.json(done) }
        let (before, after) = (ByteCount.text(done.before), ByteCount.text(done.after))
        Console.result(done.after < done.before ? "\(before) before, \(after) now" : "\(after), nothing to give back")
        if done.missing > 0 {
            Console.say(
                "More would be given back if \(ByteCount.text(done.missing)) more were free on the vault's disk.")
        }
    }
}

/// The JSON of `coffer compact --json`, in bytes.
struct CompactionView: Codable, Sendable {
    /// What the vault's files took on the disk.
    var before: UInt64
    var after: UInt64
    /// So many more have to be free for a rewrite.
    var missing: UInt64

    init(_ done: Vault.Compaction) {
        (before, after, missing) = (done.before, done.after, done.missing)
    }
}
