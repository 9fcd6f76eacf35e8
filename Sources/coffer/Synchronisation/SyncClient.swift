internal import Foundation
internal import Sealing
internal import SystemPackage
internal import Vault
internal import VaultFileSystem

/// The way of a verb to whoever has the vault open: the process behind the mount, or this one.
struct SyncClient {
    /// Sends a request with its secret, and gives the answer's bytes.
    let ask: (_ request: [UInt8], _ secret: borrowing SecretBytes) throws -> [UInt8]

    /// What goes with a request.
    enum SecretKind {
        case none
        case masterPassword
        /// Behind the master password, the remote's, which the vault is to keep.
        case remotePassword
    }

    /// Carries out a request and waits for its end. Says on a terminal what is being done where it takes long; Ctrl-C ends
    /// it.
    func perform(_ request: SyncRequest, secret: borrowing SecretBytes) throws -> SyncOutcome {
        let none = SecretBytes(count: 0)
        guard let job = try send(request, secret).job else { throw SyncClient.noAnswer }
        let start = ContinuousClock.now
        var pause = Duration.milliseconds(2)
        var isCancelled = false
        while true {
            let reply = try send(.poll(job: job), none)
            guard reply.job == job else { throw SyncClient.noAnswer }
            if reply.isDone { return try SyncClient.outcome(of: reply) }
            if let progress = reply.progress, start.duration(to: .now) > .seconds(1) { Console.progress(progress) }
            if Interrupts.wait(pause) {
                // The second time, who asked is not kept waiting.
                if isCancelled { throw Silent(code: 130) }
                isCancelled = true
                _ = try send(.cancel(job: job), none)
            }
            pause = min(pause * 2, .milliseconds(100))
        }
    }

    private func send(_ request: SyncRequest, _ secret: borrowing SecretBytes) throws -> SyncReply {
        let answer = try ask(Array(JSONEncoder().encode(request)), secret)
        guard let reply = try? JSONDecoder().decode(SyncReply.self, from: Data(answer)) else {
            throw SyncClient.noAnswer
        }
        return reply
    }

    private static func outcome(of reply: SyncReply) throws -> SyncOutcome {
        Console.endProgress()
        if reply.isCancelled { throw Silent(code: 130) }
        if let failure = reply.failure { throw failure }
        return reply.outcome ?? SyncOutcome()
    }

    private static let noAnswer = Failure(
        .vaultInUse, "The process behind the mount gave no answer.", hint: "Lock the vault with `coffer lock` first.")
}

extension SyncClient {
    /// To the process behind a mount.
    init(_ mount: MountTable.Mount, _ path: FilePath) {
        ask = { request, secret in
            do throws(CommandError) { return try mount.askService(request, secret: secret) } catch {
                throw Failure(error, vault: path)
            }
        }
    }

    /// To this process.
    init(_ host: SyncHost) {
        ask = { request, secret in
            secret.withBytes { secret in unsafe host.answer(secret, request.span.bytes) }
        }
    }

    /// Tells the other devices of a kit, so that whoever joins with it finds it known. What does not work is a warning: a
    /// later sync will do.
    func announceKit() {
        do {
            _ = try perform(.sync(.plain), secret: SecretBytes(count: 0))
        } catch let failure as Failure {
            Console.say("Warning: \(failure.message)")
            Console.say("         Run `coffer sync` before anybody joins with this kit.")
        } catch {
            Console.say("Run `coffer sync` before anybody joins with this kit.")
        }
    }
}

extension SyncRequest {
    fileprivate var isSync: Bool {
        if case .sync = self { return true }
        return false
    }

    fileprivate var isPlainSync: Bool {
        if case .sync(.plain) = self { return true }
        return false
    }
}

extension VaultOptions {
    /// Carries out a request where the vault is open, or opens it for that.
    func synchronise(
        _ request: SyncRequest, _ password: PasswordOptions, secret kind: SyncClient.SecretKind = .none
    ) throws -> SyncOutcome {
        try requireFile()
        if let mount = try mount {
            let secret = try VaultOptions.secret(kind, password)
            let client = SyncClient(mount, path)
            Interrupts.block()
            if request.isSync { client.offerCommand() }
            return try client.perform(request, secret: secret)
        }
        let line = try password.readLine(prompt: "Master password: ", locked: path)
        let opened = try open(MasterPassword.from(line))
        // A restored vault may have to go on as another device, which the password allows.
        if kind == .masterPassword || request.isPlainSync { return try perform(request, opened, secret: line) }
        guard kind == .remotePassword else { return try perform(request, opened, secret: SecretBytes(count: 0)) }
        do {
            return try perform(request, opened, secret: VaultOptions.withRemotePassword(line))
        } catch {
            // Where it was closed already, nothing happens.
            try? opened.close()
            throw error
        }
    }

    private func perform(
        _ request: SyncRequest, _ opened: Vault, secret: borrowing SecretBytes
    ) throws -> SyncOutcome {
        try withHost(opened) { client in
            if request.isSync { client.offerCommand() }
            return try client.perform(request, secret: secret)
        }
    }

    /// Asks whoever has the vault open, or opens it for that, as often as it takes.
    func synchronising<R>(_ password: PasswordOptions, _ body: (SyncClient) throws -> R) throws -> R {
        try requireFile()
        if let mount = try mount {
            Interrupts.block()
            return try body(SyncClient(mount, path))
        }
        let line = try password.readLine(prompt: "Master password: ", locked: path)
        return try withHost(try open(MasterPassword.from(line)), body)
    }

    /// Does something with an open vault that nobody has mounted, and closes it.
    func withHost<R>(_ opened: Vault, _ body: (SyncClient) throws -> R) throws -> R {
        Interrupts.block()
        let host = SyncHost(opened, timing: nil)
        host.start()
        do {
            let result = try body(SyncClient(host))
            host.stop()
            try close(opened)
            return result
        } catch {
            host.stop()
            try? opened.close()
            throw error
        }
    }

    private static func secret(_ kind: SyncClient.SecretKind, _ password: PasswordOptions) throws -> SecretBytes {
        switch kind {
        case .none: return SecretBytes(count: 0)
        case .masterPassword, .remotePassword:
            let line = try password.readLine(prompt: "Master password: ")
            _ = try MasterPassword.from(line)
            if kind == .masterPassword { return line }
            return try withRemotePassword(line)
        }
    }

    /// The remote's password on a line behind the master password, neither of which has a line feed in it.
    private static func withRemotePassword(_ master: borrowing SecretBytes) throws -> SecretBytes {
        let remote = try SecretLine.ask(
            "The remote's password: ",
            orThrow: .nobodyToAsk("the remote's password", options: "--remote-password-command"))
        var both = SecretBytes(count: master.count + 1 + remote.count)
        for index in 0..<master.count { both.setByte(master.byte(at: index), at: index) }
        both.setByte(0x0A, at: master.count)
        for index in 0..<remote.count { both.setByte(remote.byte(at: index), at: master.count + 1 + index) }
        return both
    }
}
