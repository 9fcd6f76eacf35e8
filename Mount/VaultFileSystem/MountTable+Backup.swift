internal import Glibc
internal import SystemPackage
internal import Vault

/// A mounted vault whose process keeps its files as they are, so that they can be copied: as long as this lives, unless the
/// vault is locked or its disk becomes full.
public final class MountedHold: Sendable {
    private let file: FileDescriptor

    fileprivate init(_ file: FileDescriptor) { self.file = file }

    deinit { try? file.close() }

    /// Nothing has changed since it began.
    public var isHeld: Bool {
        var byte: UInt8 = 0
        return unsafe withUnsafeMutableBytes(of: &byte) {
            unsafe (try? file.read(fromAbsoluteOffset: 0, into: $0)) == 1
        }
    }
}

extension MountTable.Mount {
    /// Has the process behind the mount put everything into the vault's files, and keep these as they are.
    ///
    /// - Returns: nil where another backup is being taken.
    public func holdForBackup() throws(CommandError) -> MountedHold? {
        do {
            return MountedHold(try openControl(.backup))
        } catch Errno.resourceBusy {
            return nil
        } catch Errno.permissionDenied {
            throw .mount(.notYours(directory))
        } catch Errno.noSuchFileOrDirectory {
            throw .notUnderstood
        } catch Errno.socketNotConnected, Errno(rawValue: ECONNABORTED), Errno(rawValue: ESHUTDOWN) {
            throw .locked
        } catch {
            throw .vault(.io(error as? Errno ?? .ioError, "preparing the backup"))
        }
    }
}
