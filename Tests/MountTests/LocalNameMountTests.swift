import Foundation
import TestSupport
import Testing

/// What programs do with names that stay on a device, on a real mount: the vault is well before it is locked and after,
/// and opens again.
@Suite struct LocalNameMountTests {
    /// Each as one types it, in the mounted folder.
    private static let scripts = [
        "echo 1 >a; mv a a~; rm a~",
        "echo 1 >a; sed -i~ s/1/2/ a; rm a~",
        "echo 1 >a; mv a '#a#'; rm '#a#'",
        "for n in $(seq 4900 4920); do echo $n >$n; done; for n in $(seq 4900 4920); do mv $n T; mv T $n; done; rm 49*",
        "echo 1 >a; ln a b; mv a a~; rm a~ b",
        "echo 1 >a; mv a a~; mv a~ a; rm a; echo 2 >a",
        "echo 1 >a; exec 9>>a; mv a a~; echo 2 >&9; rm a~; echo 3 >&9; exec 9>&-",
        "mkdir .Trash-1000; echo 1 >a; mv a .Trash-1000/a~; rm -r .Trash-1000",
    ]

    @Test(arguments: scripts) func vaultOpensAgain(_ script: String) throws {
        try TestVault.with { vault in
            try vault.mount()
            try run("set -e; " + script, vault)
            try vault.opened("verify").run(expecting: 0)
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
            try vault.mount()
            try vault.lock()
        }
    }

    /// GnuPG makes locks (`.#lk…`), links them, and keeps backups of its key rings (`pubring.kbx~`).
    @Test func homeOfGnuPGThatWasRemoved() throws {
        try TestVault.with { vault in
            try vault.mount()
            let home = vault.path("gnupg")
            let gpg = "gpg --batch --pinentry-mode loopback --passphrase ''"
            try run(
                """
                set -e; export GNUPGHOME='\(home)'; mkdir -m 700 gnupg; trap 'gpgconf --kill gpg-agent' EXIT
                \(gpg) --quick-generate-key ann@example.org ed25519 sign never
                \(gpg) --quick-generate-key bob@example.org ed25519 sign never
                echo text | \(gpg) --local-user ann@example.org --clearsign >signed
                \(gpg) --verify signed
                gpgconf --kill gpg-agent
                rm -r gnupg
                """, vault)
            try vault.opened("verify").run(expecting: 0)
            try vault.lock()
            try vault.opened("verify").run(expecting: 0)
        }
    }

    private func run(_ script: String, _ vault: TestVault) throws {
        try vault.home.command("bash", ["-c", "cd '\(vault.directory)'; \(script)"]).run(expecting: 0)
    }
}
