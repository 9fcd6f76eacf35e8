internal import Foundation
internal import Glibc
internal import Sealing
internal import Synchronization
internal import SystemPackage
internal import Vault

/// Carries out what comes through the control file `command`, on the thread that serves the request; the others
/// go on serving.
///
/// Deriving a key takes seconds, in which locking does not wait: only what needs the open vault passes the ``Gate``.
/// Where the vault is locked in between, nothing is changed and no kit is given out.
final class Commands: Sendable {
    private let vault: Vault
    private let gate: Gate
    private let service: MountService?
    /// Locks, and drops what cannot be saved.
    private let discard: @Sendable () -> Void
    /// One at a time: each takes as much memory as its key derivation asks for, and changes the same rows. The kernel
    /// lets one write to a file in after the other; this does not rest on it.
    private let turn = Mutex(())

    init(
        vault: Vault, gate: Gate, service: MountService? = nil, discard: @escaping @Sendable () -> Void = {}
    ) {
        (self.vault, self.gate, self.service, self.discard) = (vault, gate, service, discard)
    }

    /// - Returns: the answer, in which there is no secret: a kit is encrypted.
    /// - Throws: EINVAL for what is no request of this format, ENOTCONN where the vault was locked meanwhile.
    func perform(_ request: RawSpan) throws(Errno) -> [UInt8] {
        guard let message = CommandMessage(request, .request), let verb = CommandVerb(rawValue: message.code)
        else { throw .invalidArgument }
        let (first, second) = (request.extracting(message.first), request.extracting(message.second))
        if verb == .askService { return try askService(first, second) }
        if verb == .lockDiscarding {
            discard()
            return Commands.answer(.done)
        }
        let password = try Commands.password(first)
        return try turn.withLock { _ throws(Errno) in
            switch verb {
            case .changePassword: try changePassword(password, Commands.password(second))
            case .issueKit: try issueKit(password, second, cost: KDFParameters.kit)
            case .issueMailedKit: try issueKit(password, second, cost: KDFParameters.mailedKit)
            case .askService, .lockDiscarding: throw .invalidArgument
            }
        }
    }

    /// Empty and overlong ones are refused before they are sent.
    private static func password(_ field: RawSpan) throws(Errno) -> MasterPassword {
        do throws(PasswordError) { return try MasterPassword(utf8: field) } catch { throw .invalidArgument }
    }

    private func changePassword(_ old: borrowing MasterPassword, _ new: borrowing MasterPassword) throws(Errno)
        -> [UInt8]
    {
        do throws(VaultError) {
            let present = try pass { () throws(VaultError) in try vault.wrappedKeys() }
            let changed = try present.rewrapped(from: old, to: new)
            try pass { () throws(VaultError) in try vault.replaceKeys(with: changed) }
            return Commands.answer(.done)
        } catch {
            return try Commands.refusal(error)
        }
    }

    private func issueKit(
        _ password: borrowing MasterPassword, _ email: RawSpan,
        cost: (_ unlock: KDFParameters, _ physicalMemoryMiB: UInt64) -> KDFParameters
    ) throws(Errno) -> [UInt8] {
        // RFC 5321, 4.5.3.1.3: a path of 256 bytes with its angle brackets.
        guard email.byteCount <= 254 else { throw .invalidArgument }
        let address = unsafe email.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
        do throws(VaultError) {
            let keys = try pass { () throws(VaultError) in try vault.wrappedKeys() }
            let parameters = cost(try keys.unlockParameters(), ProcessInfo.processInfo.physicalMemory >> 20)
            let kit = try keys.issueKit(
                password: password, email: address, parameters: parameters, remote: service?.remote() ?? "")
            let fingerprint = try pass { () throws(VaultError) in
                try vault.note(kit: kit)
                return vault.fingerprint
            }
            return Commands.answer(.done, kit, Array(fingerprint.joined(separator: " ").utf8))
        } catch {
            return try Commands.refusal(error)
        }
    }

    /// A service answers at once: what takes long it does beside, and is asked again.
    private func askService(_ secret: RawSpan, _ request: RawSpan) throws(Errno) -> [UInt8] {
        guard let service else { throw .invalidArgument }
        guard gate.enter() else { throw .socketNotConnected }
        defer { gate.leave() }
        let answer = service.answer(secret, request)
        guard !answer.isEmpty else { throw .invalidArgument }
        return Commands.answer(.done, answer)
    }

    /// Runs what needs the open vault, unless it is being locked.
    private func pass<R>(_ body: () throws(VaultError) -> R) throws(VaultError) -> R {
        guard gate.enter() else { throw .io(.socketNotConnected, "locked meanwhile") }
        defer { gate.leave() }
        return try body()
    }

    // MARK: Answers

    private static func refusal(_ error: VaultError) throws(Errno) -> [UInt8] {
        switch error {
        case .io(.socketNotConnected, _): throw .socketNotConnected
        case .wrongPassword: answer(.wrongPassword)
        case .parametersOutOfBounds: answer(.parametersOutOfBounds)
        case .outOfMemory: answer(.outOfMemory)
        case .damaged(let damage): answer(.damaged, Array((damage.first?.what ?? "").utf8))
        case .io(let errno, let doing): answer(.failed, Array(doing.utf8), errno: errno)
        default: answer(.failed, Array("\(error)".utf8), errno: .ioError)
        }
    }

    private static func answer(
        _ outcome: CommandOutcome, _ first: [UInt8] = [], _ second: [UInt8] = [], errno: Errno = Errno(rawValue: 0)
    ) -> [UInt8] {
        let message = unsafe CommandMessage.encode(
            .answer, code: outcome.rawValue, errno: UInt16(truncatingIfNeeded: errno.rawValue), first.span.bytes,
            second.span.bytes)
        return message.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
    }
}
