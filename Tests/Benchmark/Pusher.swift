import Glibc

/// A store of entries that is pushed to a remote: a folder on the same disk.
protocol Pusher {
    var name: String { get }
    /// Everything of it is below this folder; the remote is `folder/remote`.
    var folder: String { get }
    /// Makes the store with its entries, and an empty remote.
    func make(_ entries: Int) throws
    /// Makes the remote empty again, with every entry still to be pushed.
    func renew(_ entries: Int) throws
    /// Writes an entry anew, as a user of the store does.
    func save(_ index: Int, _ content: [UInt8]) throws
    func push() throws
    /// Ends what runs for it, and removes it.
    func remove()
}

extension Pusher {
    /// All stores have the same tree: a hundred entries in each directory.
    static func entry(_ index: Int) -> String { "\(index / 100)/\(Workload.name(index))" }

    static func fill(_ root: String, _ entries: Int) throws {
        for index in 0..<entries {
            if index % 100 == 0 { try check(unsafe mkdir("\(root)/\(index / 100)", 0o755), root) }
            try Call.create(Path("\(root)/\(entry(index))"), Workload.content(index), durable: false)
        }
    }

    var contents: RemoteContents { RemoteContents(in: "\(folder)/remote") }

    /// What a push has written, which may replace what was there: changed since `body` began.
    func written(by body: () throws -> Void) throws -> RemoteContents {
        try Shell.run("touch \"$1/marker\"", folder)
        // Times of files are as coarse as the kernel's tick.
        usleep(20_000)
        try body()
        return RemoteContents("\(folder)/remote", "-cnewer \"$2\"", "\(folder)/marker")
    }
}

/// Objects at a remote and their bytes.
struct RemoteContents {
    private(set) var objects = 0.0
    private(set) var bytes = 0.0

    init(in folder: String) { self.init(folder, "") }

    /// When a folder was changed last.
    static func moment(_ folder: String) -> [Int] {
        var status = stat()
        guard unsafe stat(folder, &status) == 0 else { return [] }
        return [status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
    }

    fileprivate init(_ folder: String, _ condition: String, _ argument: String = "") {
        let text = Shell.output(
            "find \"$1\" -type f \(condition) -printf '%s\\n' | awk '{ b += $1 } END { printf \"%d %d\", NR, b }'",
            folder, argument)
        let numbers = text.split(separator: " ").compactMap { Double($0) }
        if numbers.count == 2 { (objects, bytes) = (numbers[0], numbers[1]) }
    }
}

/// A mounted vault and `coffer sync`. The process behind the mount has the keys: no key derivation is in a push.
struct CofferPusher: Pusher {
    let name = "coffer"
    let folder: String
    let program: String
    let password: String

    func make(_ entries: Int) throws {
        try Shell.run("mkdir -p \"$1/mount\"", folder)
        try coffer("init --kdf-memory 64 --kdf-passes 3 --password-file \"$3\"")
        // What is pushed when is the benchmark's to say.
        try coffer("mount \"$2/mount\" --no-sync --password-file \"$3\"")
        try coffer("remote set --create \"$2/remote\" --password-file \"$3\"")
        try Self.fill("\(folder)/mount", entries)
        sync()
    }

    func renew(_ entries: Int) throws {
        remove()
        try make(entries)
    }

    func save(_ index: Int, _ content: [UInt8]) throws {
        try Call.overwrite(Path("\(folder)/mount/\(Self.entry(index))"), content[...])
    }

    func push() throws { try coffer("sync") }

    func remove() {
        try? coffer("lock \"$2/mount\"")
        // What root has mounted a vault on is immutable.
        let folders = "\"$1/mount\" \"$1/other\""
        try? Shell.run("chattr -f -i \(folders) 2> /dev/null; rm -rf --one-file-system \"$1\"", folder)
    }

    /// Writes a kit to `kit.txt`, and the six words that joining without a terminal takes to `words`.
    func issueKit() throws {
        try coffer(
            "kit --text --address bench@example.org --password-file \"$3\" > \"$2/kit.txt\" "
                + "&& sed -n 's/^Fingerprint: //p' \"$2/log\" > \"$2/words\"")
    }

    static let fingerprint = "--fingerprint \"$(cat \"$2/words\")\""

    /// Runs the program with `arguments`, in which $2 is the folder and $3 the file with the password.
    ///
    /// - Parameter vault: the name of the vault's file; each has a state of its own, as on another machine.
    func coffer(_ arguments: String, vault: String = "vault", password: String? = nil, expecting code: Int = 0) throws {
        try Shell.run(
            """
            export COFFER_VAULT="$2/\(vault)" XDG_STATE_HOME="$2/\(vault)-state"
            { "$1" \(arguments); } < /dev/null > "$2/log" 2>&1
            [ $? -eq \(code) ] || { cat "$2/log" >&2; exit 1; }
            """, program, folder, password ?? self.password)
    }
}

/// A mounted gocryptfs and `rclone sync` of the folder with its ciphertext.
struct RclonePusher: Pusher {
    let name = "rclone"
    let folder: String
    let password: String

    func make(_ entries: Int) throws {
        try Shell.run("mkdir -p \"$1/mount\" \"$1/data\" \"$1/remote\"", folder)
        try Shell.run(
            """
            gocryptfs -init -q -passfile "$2" "$1/data" && gocryptfs -q -nosyslog -passfile "$2" "$1/data" "$1/mount"
            """, folder, password)
        try Self.fill("\(folder)/mount", entries)
        sync()
    }

    func renew(_ entries: Int) throws {
        try Shell.run("rm -r \"$1/remote\" && mkdir \"$1/remote\" && sync", folder)
    }

    func save(_ index: Int, _ content: [UInt8]) throws {
        try Call.overwrite(Path("\(folder)/mount/\(Self.entry(index))"), content[...])
    }

    func push() throws {
        try Shell.run(
            """
            rclone --config "$1/rclone.conf" sync "$1/data" "$1/remote" 2> "$1/log" || { cat "$1/log" >&2; exit 1; }
            """, folder)
    }

    func remove() {
        try? Shell.run("fusermount3 -u \"$1/mount\" || fusermount3 -u -z \"$1/mount\"", folder)
        try? Shell.run("rm -rf --one-file-system \"$1\"", folder)
    }
}

/// A store of pass and its git, which pushes to a bare repository.
struct PassPusher: Pusher {
    let name = "pass"
    let folder: String
    /// A home of its own for gpg, at a path that is short enough for the sockets of its daemon.
    let keys: String

    func make(_ entries: Int) throws {
        try Shell.run("mkdir -p \"$1\" && mkdir -m 700 \"$2\"", folder, keys)
        // The key has no passphrase, so that nothing asks for one; reading is no part of this.
        try pass(
            """
            printf '%s\\n' %no-protection 'Key-Type: RSA' 'Key-Length: 3072' 'Subkey-Type: RSA' 'Subkey-Length: 3072' \
            'Name-Real: bench' 'Expire-Date: 0' | gpg --batch --quiet --gen-key
            git config --global user.name bench && git config --global user.email bench@example.org
            pass init bench && pass git init && git init --quiet --bare "$1/remote"
            pass git remote add origin "$1/remote"
            """)
        try Self.fill("\(folder)/store", entries)
        // As `pass insert` encrypts, but all with one gpg.
        try pass(
            """
            find "$1/store" -name 'entry-*' | gpg --batch --quiet --trust-model always --compress-algo none \
            --no-encrypt-to --recipient bench --multifile --encrypt
            find "$1/store" -name 'entry-*' ! -name '*.gpg' -delete
            pass git add --all && pass git commit --quiet --message entries
            """)
        sync()
    }

    func renew(_ entries: Int) throws {
        try pass("rm -r \"$1/remote\"; git init --quiet --bare \"$1/remote\"; sync")
    }

    func save(_ index: Int, _ content: [UInt8]) throws {
        let plain = Path("\(folder)/plain")
        try Call.overwrite(plain, content[...])
        try pass("pass insert --multiline --force \(Self.entry(index)) < \"$1/plain\"")
    }

    func push() throws { try pass("pass git push --quiet origin HEAD") }

    func remove() {
        try? Shell.run("GNUPGHOME=\"$2\" gpgconf --kill all; rm -rf --one-file-system \"$1\" \"$2\"", folder, keys)
    }

    /// Runs a script whose HOME is the folder, which is $1.
    private func pass(_ script: String) throws {
        try Shell.run(
            "set -e; export HOME=\"$1\" GNUPGHOME=\"$2\" PASSWORD_STORE_DIR=\"$1/store\"; unset XDG_CONFIG_HOME\n"
                + "{ \(script)\n} > \"$1/log\" 2>&1 || { cat \"$1/log\" >&2; exit 1; }", folder, keys)
    }
}
