internal import Glibc
public import Sealing
internal import Synchronization
internal import SystemPackage
internal import Vault

/// A kit that was issued, and what it leads to.
public struct IssuedKit: Sendable {
    /// The kit's text.
    public let text: [UInt8]
    /// Six words by which people compare vaults.
    public let fingerprint: String
}

/// Asking the process behind a mount to do what only it can, since it has the vault open: a request is written to the
/// control file `command`, and the answer read from the same open file.
extension MountTable.Mount {
    /// Changes the master password.
    ///
    /// - Parameters:
    ///   - old: the present one, 1 to 1024 bytes of UTF-8.
    ///   - new: the new one; its strength is the caller's to check.
    public func changePassword(
        from old: borrowing SecretBytes, to new: borrowing SecretBytes
    ) throws(CommandError) {
        let request = old.withBytes { old in
            new.withBytes { new in CommandMessage.encode(.request, code: CommandVerb.changePassword.rawValue, old, new)
            }
        }
        _ = try perform(request)
    }

    /// Issues a kit.
    ///
    /// - Parameters:
    ///   - password: the master password, 1 to 1024 bytes of UTF-8.
    ///   - email: the address that the kit is bound to.
    ///   - isMailed: whether it is sent by mail; it costs more to open then.
    public func issueKit(
        password: borrowing SecretBytes, email: String, isMailed: Bool = false
    ) throws(CommandError) -> IssuedKit {
        let verb: CommandVerb = isMailed ? .issueMailedKit : .issueKit
        let address = Array(email.utf8)
        let request = password.withBytes { password in
            unsafe CommandMessage.encode(
                .request, code: verb.rawValue, password, address.span.bytes)
        }
        let answer = try perform(request)
        return IssuedKit(text: answer.first, fingerprint: String(decoding: answer.second, as: UTF8.self))
    }

    /// Asks the ``MountService``.
    ///
    /// - Parameters:
    ///   - secret: what must not stand in the request; may be empty.
    ///   - request: at most 32 KiB.
    public func askService(
        _ request: [UInt8], secret: borrowing SecretBytes
    ) throws(CommandError) -> [UInt8] {
        let message = secret.withBytes { secret in
            unsafe CommandMessage.encode(
                .request, code: CommandVerb.askService.rawValue, secret, request.span.bytes)
        }
        return try perform(message).first
    }

    /// Locks and drops what cannot be saved.
    ///
    /// - Returns: false where it takes no changes, so that there is nothing to be dropped.
    func lockDiscarding() throws(MountError) -> Bool {
        let nothing = PlainBuffer()
        let request = nothing.withBytes {
            CommandMessage.encode(.request, code: CommandVerb.lockDiscarding.rawValue, $0, $0)
        }
        do throws(CommandError) { _ = try perform(request) } catch {
            switch error {
            case .readOnly: return false
            case .mount(let error): throw error
            case .notUnderstood: throw .notResponding(directory, nil)
            // The mount is gone before the answer can be read.
            default: return true
            }
        }
        return true
    }

    /// - Returns: the fields of the answer.
    private func perform(
        _ request: consuming PlainBuffer
    ) throws(CommandError) -> (first: [UInt8], second: [UInt8]) {
        let exchange = Exchange(request, self)
        let bytes: [UInt8]
        do { bytes = try asking { try exchange.perform() } } catch let error as MountError {
            throw .mount(error)
        } catch {
            throw exchange.isSent ? .unanswered : CommandError(error as? Errno ?? .ioError, directory)
        }
        guard let message = unsafe CommandMessage(bytes.span.bytes, .answer),
            let outcome = CommandOutcome(rawValue: message.code)
        else { throw .notUnderstood }
        guard outcome == .done else {
            throw CommandError(
                outcome, Errno(rawValue: Int32(message.errno)), String(decoding: bytes[message.first], as: UTF8.self))
        }
        return (Array(bytes[message.first]), Array(bytes[message.second]))
    }
}

/// One request on its way, which goes with whoever carries it.
private final class Exchange: Sendable {
    private let request: PlainBuffer
    private let mount: MountTable.Mount
    private let sent = Atomic<Bool>(false)

    init(_ request: consuming PlainBuffer, _ mount: MountTable.Mount) {
        self.request = request
        self.mount = mount
    }

    /// Whether it may have been carried out.
    var isSent: Bool { sent.load(ordering: .acquiring) }

    /// - Returns: the answer.
    func perform() throws -> [UInt8] {
        // One byte more than the longest, so that a longer one is seen as such.
        var answer = [UInt8](repeating: 0, count: CommandMessage.limit + 1)
        let file = try mount.openControl(.command, .readWrite)
        defer { try? file.close() }
        // In one piece: a request is one write.
        _ = try unsafe request.withUnsafeBytes { unsafe try file.write(toAbsoluteOffset: 0, $0) }
        sent.store(true, ordering: .releasing)
        let count = try unsafe answer.withUnsafeMutableBytes {
            unsafe try file.read(fromAbsoluteOffset: 0, into: $0)
        }
        return Array(answer[..<count])
    }
}

extension CommandError {
    /// What the file system said.
    fileprivate init(_ errno: Errno, _ directory: FilePath) {
        switch errno {
        case .permissionDenied: self = .mount(.notYours(directory))
        case .readOnlyFileSystem: self = .readOnly
        // Only what was not carried out gets this one: a request under way gets ECONNABORTED when its process ends.
        case .socketNotConnected: self = .locked
        case .invalidArgument, .noSuchFileOrDirectory: self = .notUnderstood
        default: self = .unanswered
        }
    }

    /// What the answer said.
    fileprivate init(_ outcome: CommandOutcome, _ errno: Errno, _ text: String) {
        switch outcome {
        case .wrongPassword: self = .vault(.wrongPassword)
        case .parametersOutOfBounds: self = .vault(.parametersOutOfBounds)
        case .outOfMemory: self = .vault(.outOfMemory)
        case .damaged: self = .vault(.damaged([Damage(text)]))
        case .done, .failed: self = .vault(.io(errno, text))
        }
    }
}
