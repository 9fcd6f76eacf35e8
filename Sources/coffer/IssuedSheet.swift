internal import KitImage
internal import Sealing

/// A kit with what stands on its page.
struct IssuedSheet {
    /// The kit's text.
    let kit: [UInt8]
    /// Six words by which people compare vaults.
    let fingerprint: String
    /// The address that the kit is bound to; empty for none.
    let address: String

    /// What whoever finds it in ten years has to know, and cannot look up.
    var page: KitPage {
        let remote = Kit(text: kit)?.remote ?? ""
        return KitPage(
            title: "Coffer kit",
            facts: [
                KitPage.Fact("Account address", address.isEmpty ? "none: join with --email ''" : shown(address)),
                KitPage.Fact("Vault's words", fingerprint),
                KitPage.Fact("Issued", Moment.today()),
                KitPage.Fact("Remote", remote.isEmpty ? "not on this kit: join with --remote URL" : shown(remote)),
            ],
            sections: [
                KitPage.Section("What this is for", IssuedSheet.purpose),
                KitPage.Section("How to join", IssuedSheet.steps, isNumbered: true),
            ],
            notes: "Room for notes (never for the master password):",
            letters: "Where the picture cannot be read, a file with these letters will do:", kit: kit)
    }

    private func shown(_ text: String) -> String { Console.printable(text) }

    private static let purpose = [
        "Coffer keeps passwords, keys and papers as files in an encrypted vault. This kit is the vault's key, locked with "
            + "the master password of the day of issue. With the account address and that password a new computer gets "
            + "the vault from its remote; what is in the vault is there, and not on this page.",
        "Keep it as you keep a deed, apart from the master password: whoever has it can try passwords on it. Nobody can "
            + "bring back a master password that is forgotten. Once the vault has a new key (`coffer rotate`, `coffer "
            + "devices revoke`) this page is void: issue another one, and destroy it.",
    ]

    private static let steps = [
        "Install Coffer, a free program for Linux. Make a photograph of this page, or copy its letters into a file.",
        "Run `coffer join --kit FILE` with that. Say that the remote is the one above, and give the account address and "
            + "the master password.",
        "Compare the six words with those that another device shows (`coffer status`), or with those above. Then `coffer "
            + "mount FOLDER` opens the vault.",
    ]
}
