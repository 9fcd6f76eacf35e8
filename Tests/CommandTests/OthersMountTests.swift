import Foundation
import TestSupport
import Testing

/// Root and other people's vaults.
@Suite(.enabled(if: geteuid() == 0, "only root gets at other people's vaults")) struct OthersMountTests {
    /// The user's vault is mounted by the user, and root asks.
    @Test func whoseMountItIs() throws {
        try OrdinaryUser.with { user, vault in
            let name = try vault.home.command("id", ["-un", "\(OrdinaryUser.number)"]).run(expecting: 0).text.dropLast()
            let script = """
                as_user "$COFFER" init --kdf-memory 64 --password-file "$PASSWORD" 2> /dev/null
                as_user "$COFFER" mount "$DIR" --password-file "$PASSWORD"
                "$COFFER" status
                "$COFFER" status --json
                for verb in ls 'show entry' verify passwd lock "lock $DIR"; do
                    code=0
                    (set -f; IFS=' '; case $verb in lock\\ *) set -- lock "$DIR" ;; *) set -- $verb ;; esac
                    exec "$COFFER" "$@" < "$PASSWORD" 2>&1) || code=$?
                    echo "code $code"
                done
                umount "$DIR"
                while "$COFFER" status | grep -q "in use"; do :; done
                "$COFFER" status
                """
            let text = try user.rootScript(script).run(expecting: 0).text
            #expect(text.contains("State:    unlocked by \(name) at \(vault.directory)\n"), "\(text)")
            #expect(text.contains("\"user\" : \"\(name)\""))
            #expect(text.components(separatedBy: "code 24\n").count == 7, "\(text)")
            let sentence =
                "is unlocked at \(vault.directory) by \(name), not by you.\n        Do this as \(name): FUSE lets"
            #expect(text.components(separatedBy: sentence).count == 7, "\(text)")
            #expect(text.contains("State:    locked"))
        }
    }

    /// The user opens it again, with all that root's process has written until it was killed; the folder for the counter
    /// is made on the way.
    @Test func nothingOfRootsIsLeftBehind() throws {
        try OrdinaryUser.with { user, vault in
            let begin = """
                "$COFFER" init --kdf-memory 64 --password-file "$PASSWORD"
                rm -r "$HOME/.local/state"
                mkdir "$HOME/roots"
                """
            try user.script(begin).run(expecting: 0)
            let script = """
                "$COFFER" mount "$HOME/roots" --password-file "$PASSWORD"
                "$COFFER" lock
                "$COFFER" mount "$HOME/roots" --password-file "$PASSWORD"
                echo s3cret > "$HOME/roots/entry"
                head -c 3000000 /dev/zero > "$HOME/roots/large"
                pid=$(pgrep -f "[r]eady-descriptor.*$HOME/roots")
                kill -KILL "$pid"
                while [ -e "/proc/$pid" ]; do :; done
                umount -l "$HOME/roots"
                ls "$HOME/.local/share/coffer"
                echo "left: $(find "$HOME" -user 0)"
                """
            let text = try user.rootScript(script).run(expecting: 0).text
            #expect(text.contains("vault.coffer-redo\n") && text.contains("vault.coffer-chunks\n"), "\(text)")
            #expect(text.hasSuffix("left: \n"), "\(text)")
            #expect(FileManager.default.fileExists(atPath: vault.home.file(".local/state/coffer")))
            let end = """
                "$COFFER" show entry --password-file "$PASSWORD"
                "$COFFER" mount "$DIR" --password-file "$PASSWORD"
                "$COFFER" lock
                """
            #expect(try user.script(end).run(expecting: 0).text == "s3cret\n")
        }
    }
}
