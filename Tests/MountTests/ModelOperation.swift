import Foundation
import TestSupport

/// One step of the model test: a call that is made on the mount and on a plain folder alike.
enum ModelOperation: Sendable, Equatable {
    case create(String, mode: UInt32)
    case write(String, offset: Int, count: Int, seed: UInt8)
    case append(String, count: Int, seed: UInt8)
    case truncate(String, size: Int)
    case read(String)
    case save(String, count: Int, seed: UInt8)
    case unlink(String)
    case makeDirectory(String, mode: UInt32)
    case removeDirectory(String)
    case removeTree(String)
    case rename(String, String, flags: UInt32)
    case link(String, String)
    case symbolicLink(target: String, String)
    case fifo(String)
    case chmod(String, mode: UInt32)
    case times(String, seconds: Int, nanoseconds: Int)
    case setAttribute(String, String, count: Int, flags: Int32)
    case removeAttribute(String, String)
    case list(String)
    case status(String)
    /// Opens a file and keeps it open; the next three are about the one that was opened last.
    case hold(String)
    case writeHeld(count: Int, seed: UInt8)
    case readHeld
    case release
    case remount
    case kill

    /// Whether it concerns the mount only.
    var isForTheMount: Bool { self == .remount || self == .kill }
}

extension ModelOperation {
    /// The line of a shell script that does the same, for whoever looks into a failure. `$D` is the folder.
    var script: String {
        switch self {
        case .create(let path, let mode):
            "python3 -c 'import os,sys; os.close(os.open(sys.argv[1],os.O_CREAT|os.O_EXCL|os.O_WRONLY,\(mode)))' \(q(path))"
        case .write(let path, let offset, let count, let seed):
            "\(Self.data(count, seed)) | dd of=\(q(path)) bs=1M seek=\(offset) oflag=seek_bytes conv=notrunc,nocreat status=none"
        case .append(let path, let count, let seed):
            "[ -e \(q(path)) ] && \(Self.data(count, seed)) >> \(q(path))"
        case .truncate(let path, let size): "truncate -c -s \(size) \(q(path))"
        case .read(let path): "cat \(q(path)) | sha256sum"
        case .save(let path, let count, let seed):
            "\(Self.data(count, seed)) > \"$D\"/.save.tmp && mv -T \"$D\"/.save.tmp \(q(path)) || rm -f \"$D\"/.save.tmp"
        case .unlink(let path): "unlink \(q(path))"
        case .makeDirectory(let path, let mode): "mkdir -m \(String(mode, radix: 8)) \(q(path))"
        case .removeDirectory(let path): "rmdir \(q(path))"
        case .removeTree(let path): "rm -r \(q(path))"
        case .rename(let old, let new, let flags):
            "python3 -c 'import ctypes,sys; ctypes.CDLL(None).renameat2(-100,sys.argv[1].encode(),-100,sys.argv[2].encode(),\(flags))' \(q(old)) \(q(new))"
        case .link(let old, let new): "ln -PT \(q(old)) \(q(new))"
        case .symbolicLink(let target, let path): "ln -sT '\(target)' \(q(path))"
        case .fifo(let path): "mkfifo -m 644 \(q(path))"
        case .chmod(let path, let mode): "chmod \(String(mode, radix: 8)) \(q(path))"
        case .times(let path, let seconds, let nanoseconds): "touch -hd @\(seconds).\(nanoseconds) \(q(path))"
        case .setAttribute(let path, let name, let count, _):
            "setfattr -hn \(name) -v \"$(head -c \(count) /dev/zero | tr '\\0' x)\" \(q(path))"
        case .removeAttribute(let path, let name): "setfattr -hx \(name) \(q(path))"
        case .list(let path): "ls -A \(q(path))"
        case .hold(let path): "[ -f \(q(path)) ] && exec {held}<> \(q(path))"
        case .writeHeld(let count, let seed):
            "\(Self.data(count, seed)) | dd of=/proc/$$/fd/$held conv=notrunc,fsync status=none"
        case .readHeld: "stat -Lc '%h %f' /proc/$$/fd/$held"
        case .release: "exec {held}>&-"
        case .status(let path): "stat \(q(path))"
        case .remount: "coffer lock && coffer mount \"$D\" --password-file \"$PASSWORD\""
        case .kill: "kill_daemon; coffer mount \"$D\" --password-file \"$PASSWORD\""
        }
    }

    /// What ``script`` of a sequence begins with.
    static let scriptHeader = """
        #!/bin/bash
        # D is the folder (where the vault is mounted, or a plain one), PASSWORD a file with the vault's password.
        kill_daemon() {
            local process
            for process in /proc/[0-9]*; do
                tr '\\0' '\\n' < "$process/cmdline" | grep -qxF -- "$D" &&
                    tr '\\0' '\\n' < "$process/cmdline" | grep -qxF -- --ready-descriptor && kill -9 "${process#/proc/}"
            done
        }

        """

    private func q(_ path: String) -> String { "\"$D\"/'\(path)'" }

    private static func data(_ count: Int, _ seed: UInt8) -> String {
        "python3 -c 'import sys; sys.stdout.buffer.write(bytes((\(seed)+i*7+i//251)%256 for i in range(\(count))))'"
    }

    /// The bytes that ``script`` makes too.
    static func bytes(_ count: Int, _ seed: UInt8) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: Int(seed) + $0 * 7 + $0 / 251) }
    }
}

/// A generator with a seed, so that a run can be had again (SplitMix64, Steele and others, OOPSLA 2014).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

extension ModelOperation {
    /// Few names, so that calls meet: files, folders and links of all kinds get in each other's way.
    private static func path(_ random: inout SeededGenerator) -> String {
        let shared = ["a", "b", "c", "d", "link", "long name with spaces", "\u{E4}\u{1F511}"]
        // Those that stay on a device: see ScratchNames.
        let local = ["a~", "b~", "#c#", ".#d", "4913", ".goutputstream-1", ".~lock.a#", ".a.swp", ".Trash-0"]
        let names = Int.random(in: 0..<4, using: &random) == 0 ? local : shared
        let depth = [1, 1, 1, 2, 2, 3].randomElement(using: &random) ?? 1
        return (0..<depth).map { _ in names.randomElement(using: &random) ?? "a" }.joined(separator: "/")
    }

    /// Whether a file of that name lives in memory only.
    static func isSwapFile(_ path: String) -> Bool { path.hasSuffix(".a.swp") }

    private static func count(_ random: inout SeededGenerator) -> Int {
        let limit = [1, 100, 5000, 70_000, 300_000].randomElement(using: &random) ?? 1
        return Int.random(in: 0...limit, using: &random)
    }

    /// A step drawn at random; remounts are rare, since each derives a key. Whole trees go now and then, or folders would
    /// be moved into each other until a path is longer than PATH_MAX.
    static func random(_ random: inout SeededGenerator) -> ModelOperation {
        let (first, second) = (path(&random), path(&random))
        let seed = UInt8.random(in: 0...255, using: &random)
        let mode: UInt32 = [0o644, 0o600, 0o755, 0o000, 0o4711, 0o1777, 0o2750].randomElement(using: &random) ?? 0o644
        let attribute = ["user.a", "user.b", "user.\(seed % 4)"].randomElement(using: &random) ?? "user.a"
        switch Int.random(in: 0..<1000, using: &random) {
        case 0..<90: return .create(first, mode: mode)
        case 90..<200: return .write(first, offset: count(&random), count: count(&random), seed: seed)
        case 200..<260: return .append(first, count: count(&random), seed: seed)
        case 260..<320: return .truncate(first, size: count(&random))
        case 320..<420: return .read(first)
        case 420..<480: return .save(first, count: count(&random), seed: seed)
        case 480..<540: return .unlink(first)
        case 540..<610: return .makeDirectory(first, mode: mode | 0o700)
        case 610..<640: return .removeDirectory(first)
        case 640..<740: return .rename(first, second, flags: [0, 0, 0, 1, 2].randomElement(using: &random) ?? 0)
        // A swap file has one name (Vault.md).
        case 740..<780: return isSwapFile(first) ? .status(first) : .link(first, second)
        case 780..<810: return .symbolicLink(target: second, first)
        case 810..<820: return .fifo(first)
        case 820..<850: return .chmod(first, mode: mode | 0o400)
        case 850..<880:
            let nanoseconds = Int.random(in: 0..<1_000_000_000, using: &random)
            return .times(first, seconds: Int.random(in: 0...2_000_000_000, using: &random), nanoseconds: nanoseconds)
        case 880..<910:
            // In memory only, so without attributes (Vault.md).
            guard !isSwapFile(first) else { return .status(first) }
            let flags = Int32([0, 0, 1, 2].randomElement(using: &random) ?? 0)
            return .setAttribute(first, attribute, count: Int(seed), flags: flags)
        case 910..<920: return isSwapFile(first) ? .status(first) : .removeAttribute(first, attribute)
        case 920..<940: return .list(first)
        case 940..<965: return .status(first)
        case 965..<976: return .hold(first)
        case 976..<985: return .writeHeld(count: count(&random), seed: seed)
        case 985..<991: return .readHeld
        case 991..<996: return .release
        case 996..<997: return .removeTree(first)
        case 997..<999: return .remount
        default: return .kill
        }
    }
}
