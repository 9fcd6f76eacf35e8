internal import Foundation
internal import Glibc
internal import Sealing
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
        /// The remote's password, which the vault is to keep.
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

extension VaultOptions {
    /// Carries out a request where the vault is open, or opens it for that.
    func synchronise(
        _ request: SyncRequest, _ password: PasswordOptions, secret kind: SyncClient.SecretKind = .none
    ) throws -> SyncOutcome {
        try requireFile()
        if let mount { return try synchronise(request, password, kind, mounted: mount) }
        let line = try password.readLine(prompt: "Master password: ")
        let opened = try open(MasterPassword.from(line))
        let host = SyncHost(opened, timing: nil)
        let client = SyncClient { request, secret in
            secret.withBytes { secret in unsafe host.answer(secret, request.span.bytes) }
        }
        do {
            let secret = try kind == .masterPassword ? line : VaultOptions.secret(kind, password)
            Interrupts.block()
            host.start()
            let outcome = try client.perform(request, secret: secret)
            host.stop()
            try close(opened)
            return outcome
        } catch {
            host.stop()
            try? opened.close()
            throw error
        }
    }

    private func synchronise(
        _ request: SyncRequest, _ password: PasswordOptions, _ kind: SyncClient.SecretKind,
        mounted mount: MountTable.Mount
    ) throws -> SyncOutcome {
        let secret = try VaultOptions.secret(kind, password)
        Interrupts.block()
        let client = SyncClient { request, secret in
            do throws(CommandError) { return try mount.askService(request, secret: secret) } catch {
                throw Failure(error, vault: path)
            }
        }
        return try client.perform(request, secret: secret)
    }

    private static func secret(_ kind: SyncClient.SecretKind, _ password: PasswordOptions) throws -> SecretBytes {
        switch kind {
        case .none: return SecretBytes(count: 0)
        case .masterPassword:
            let line = try password.readLine(prompt: "Master password: ")
            _ = try MasterPassword.from(line)
            return line
        case .remotePassword:
            return isatty(STDIN_FILENO) == 1
                ? try SecretLine.read(terminal: "The remote's password: ")
                : try SecretLine.read(descriptor: STDIN_FILENO, "standard input")
        }
    }
}

/// Ctrl-C as something that is waited for. Blocked in every thread that is started later, too.
enum Interrupts {
    private static var signals: sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP] { unsafe sigaddset(&signals, number) }
        return signals
    }

    static func block() {
        var signals = signals
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Waits that long; true as soon as somebody wants it to end.
    static func wait(_ duration: Duration) -> Bool {
        var signals = signals
        let (seconds, fraction) = duration.components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(fraction / 1_000_000_000))
        return unsafe sigtimedwait(&signals, nil, &time) > 0
    }
}
