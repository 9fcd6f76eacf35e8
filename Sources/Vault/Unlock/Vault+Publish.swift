internal import CLinux
internal import Glibc
public import SystemPackage

/// How a new vault appears whole or not at all: it is made under a temporary name and then gets its own.
extension Vault {
    /// The endings of a vault's temporary names: while it is made, and while a device joins.
    private static let temporarySuffixes = [".new", ".joining"]

    /// Gives a file its name, unless something has that. Where there are hard links the temporary name stays, too.
    ///
    /// link(2) refuses where the name is taken, as rename(2) would not. FAT, exFAT and some file systems of FUSE have no hard
    /// links, and some of these no rename that keeps what is there. There the name is taken with an empty file, which only
    /// one process can make, and the rename goes over that; a process that is killed in between leaves it
    /// (``removeClaim(on:of:)``).
    ///
    /// - Throws: `alreadyExists`, `io`.
    public static func publish(_ temporary: FilePath, as path: FilePath) throws(VaultError) {
        do throws(Errno) {
            do throws(Errno) {
                return try answer { unsafe Glibc.link(temporary.string, path.string) }
            } catch .notPermitted, .notSupported, .noFunction, .tooManyLinks, .ioError {
            }
            do throws(Errno) {
                let noReplace: UInt32 = 1
                return try answer {
                    unsafe CLinux.renameat2(AT_FDCWD, temporary.string, AT_FDCWD, path.string, noReplace)
                }
            } catch .invalidArgument, .noFunction, .notSupported, .notPermitted {
            }
            let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
            let claim = unsafe Glibc.open(path.string, flags, 0o600)
            guard claim >= 0 else { throw Errno(rawValue: errno) }
            Glibc.close(claim)
            do throws(Errno) { try answer { unsafe Glibc.rename(temporary.string, path.string) } } catch {
                unsafe Glibc.unlink(path.string)
                throw error
            }
        } catch {
            throw error == .fileExists ? .alreadyExists : .io(error, "making \(path)")
        }
    }

    /// Whether there is nothing at a path but what a process that was killed in ``publish(_:as:)`` has left.
    static func isLeftClaim(_ path: FilePath) -> Bool {
        temporarySuffixes.contains { isClaim(path, of: FilePath(path.string + $0)) }
    }

    /// Removes what ``publish(_:as:)`` has left, where its process was killed in the middle of it.
    ///
    /// - Parameter temporary: the file that was to get the name; nobody makes it any more.
    public static func removeClaim(on path: FilePath, of temporary: FilePath) {
        if isClaim(path, of: temporary) { unsafe Glibc.unlink(path.string) }
    }

    private static func isClaim(_ path: FilePath, of temporary: FilePath) -> Bool {
        var (claim, whole) = (stat(), stat())
        return unsafe lstat(path.string, &claim) == 0 && lstat(temporary.string, &whole) == 0
            && claim.st_mode & S_IFMT == S_IFREG && claim.st_size == 0 && whole.st_size > 0
    }

    private static func answer(_ call: () -> Int32) throws(Errno) {
        if call() != 0 { throw Errno(rawValue: errno) }
    }
}
