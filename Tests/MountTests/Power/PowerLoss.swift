import Foundation
import TestSupport

/// One loss of power: the place of the log before which it came, and the seed of what was lost.
struct PowerLoss: CustomStringConvertible {
    let place: Int
    let seed: UInt64

    var description: String { "power lost before record \(place), seed \(seed)" }

    /// What the disk has of what was not synced.
    private enum Share { case all, nothing, some }

    /// What a file has of what was written since its last sync.
    private enum Fate {
        /// All of it until this place.
        case until(Int)
        /// Each sector for itself: with these chances, in percent, all of it or nothing, else any of its states.
        case sectors(size: Int, kept: UInt64, lost: UInt64)
    }

    /// All files as the disk has them, by their paths.
    func files(of disk: Disk) -> [String: Data] {
        var random = SeededRandom(seed: seed)
        let share: Share =
            switch random.below(8) {
            case 0: .all
            case 1: .nothing
            default: .some
            }
        return files(of: disk, share, &random)
    }

    /// All that was written until the end of the log, as a program that is killed leaves it.
    static func nothingLost(of disk: Disk) -> [String: Data] {
        var random = SeededRandom(seed: 0)
        return PowerLoss(place: disk.records.count, seed: 0).files(of: disk, .all, &random)
    }

    private func files(of disk: Disk, _ share: Share, _ random: inout SeededRandom) -> [String: Data] {
        var found: [String: Data] = [:]
        // In an order that is the same in every run.
        for (path, directory) in disk.directories.sorted(by: { $0.key < $1.key }) {
            for (name, number) in names(of: directory, share, &random).sorted(by: { $0.key < $1.key }) {
                let file = disk.files[number]
                let fate = fate(of: file, share, &random)
                found[path.isEmpty ? name : "\(path)/\(name)"] = content(of: file, disk, fate, &random)
            }
        }
        return found
    }

    // MARK: Names

    private func names(of directory: Disk.Directory, _ share: Share, _ random: inout SeededRandom) -> [String: Int] {
        let durable = durablePlace(directory.syncs)
        var names = directory.beginning
        var cuts: [String: Int] = [:]
        let isOrdered = directory.namings.contains { $0.isOrdered && $0.place >= durable && $0.place < place }
        let common = cut(from: durable, share, &random)
        for naming in directory.namings where naming.place < place {
            if naming.place >= durable {
                let cut = isOrdered ? common : cuts[naming.name] ?? cut(from: durable, share, &random)
                cuts[naming.name] = cut
                if naming.place >= cut { continue }
            }
            names[naming.name] = naming.file
        }
        return names
    }

    /// Changes are there that were made before this place; those before `durable` are in any case.
    private func cut(from durable: Int, _ share: Share, _ random: inout SeededRandom) -> Int {
        switch share {
        case .all: return place
        case .nothing: return durable
        case .some: break
        }
        switch random.below(3) {
        case 0: return place
        case 1: return durable
        default: return durable + Int(random.below(UInt64(max(1, place - durable))))
        }
    }

    private func durablePlace(_ syncs: [(begin: Int, end: Int)]) -> Int {
        syncs.lazy.filter { $0.end < place }.map(\.begin).max() ?? 0
    }

    // MARK: Bytes

    private func fate(of file: Disk.File, _ share: Share, _ random: inout SeededRandom) -> Fate {
        let durable = durablePlace(file.syncs)
        switch share {
        case .all: return .until(place)
        case .nothing: return .until(durable)
        case .some: break
        }
        switch random.below(6) {
        case 0: return .until(place)
        case 1: return .until(durable)
        case 2: return .until(durable + Int(random.below(UInt64(max(1, place - durable)))))
        default:
            let chances: [(UInt64, UInt64)] = [(95, 5), (5, 90), (40, 40), (0, 0)]
            let (kept, lost) = chances[Int(random.below(4))]
            return .sectors(size: random.below(2) == 0 ? 512 : 4096, kept: kept, lost: lost)
        }
    }

    private func content(of file: Disk.File, _ disk: Disk, _ fate: Fate, _ random: inout SeededRandom) -> Data {
        let durable = durablePlace(file.syncs)
        var image = Image(bytes: file.beginning)
        let lengthUntil: Int
        switch fate {
        case .until(let place): lengthUntil = place
        case .sectors: lengthUntil = cut(from: durable, .some, &random)
        }
        let salt = random.next()
        for change in file.changes where change.place < place {
            let isDurable = change.place < durable
            let growsAnyway = isDurable || change.place < lengthUntil
            switch change.kind {
            case .length(let length):
                // What was written after a lost truncation went where no file looks.
                guard growsAnyway else { return image.finished }
                image.truncate(to: length)
            case .atLeast(let length): if growsAnyway { image.grow(to: length) }
            case .bytes(let offset, let data):
                if growsAnyway { image.grow(to: offset + data.count) }
                for part in isDurable ? [0..<data.count] : kept(change.place, offset, data.count, fate, durable, salt) {
                    let start = data.lowerBound + part.lowerBound
                    image.write(disk.bytes[start..<(start + part.count)], at: offset + part.lowerBound)
                }
            case .zeroes(let offset, let count):
                for part in isDurable ? [0..<count] : kept(change.place, offset, count, fate, durable, salt) {
                    image.clear(offset + part.lowerBound, part.count)
                }
            }
        }
        return image.finished
    }

    /// Which parts of an unsynced write are on the disk.
    private func kept(
        _ change: Int, _ offset: Int, _ count: Int, _ fate: Fate, _ durable: Int, _ salt: UInt64
    ) -> [Range<Int>] {
        guard case .sectors(let size, let kept, let lost) = fate else {
            if case .until(let end) = fate, change < end { return [0..<count] }
            return []
        }
        var parts: [Range<Int>] = []
        for sector in (offset / size)...((offset + count - 1) / size) {
            var random = SeededRandom(seed: salt &+ UInt64(sector) &* 0xD6E8_FEB8_6659_FD93)
            let chance = random.below(100)
            var cut = place
            if chance >= kept {
                cut = chance < kept + lost ? durable : durable + Int(random.below(UInt64(max(1, place - durable))))
            }
            guard change < cut else { continue }
            let part = max(0, sector * size - offset)..<min(count, (sector + 1) * size - offset)
            if let last = parts.last, last.upperBound == part.lowerBound {
                parts[parts.count - 1] = last.lowerBound..<part.upperBound
            } else {
                parts.append(part)
            }
        }
        return parts
    }
}

/// A file's bytes while they are put together: what was written behind its end is kept aside, in case it grows.
private struct Image {
    private var bytes: Data
    private var length: Int

    init(bytes: Data) {
        self.bytes = bytes
        length = bytes.count
    }

    mutating func grow(to length: Int) { self.length = max(self.length, length) }

    mutating func truncate(to length: Int) {
        if bytes.count > length { bytes.removeLast(bytes.count - length) }
        self.length = length
    }

    mutating func write(_ data: Data, at offset: Int) {
        extend(to: offset + data.count)
        bytes.replaceSubrange(offset..<(offset + data.count), with: data)
    }

    mutating func clear(_ offset: Int, _ count: Int) {
        let end = min(offset + count, bytes.count)
        if offset < end { bytes.resetBytes(in: offset..<end) }
    }

    private mutating func extend(to count: Int) {
        if bytes.count < count { bytes.append(Data(count: count - bytes.count)) }
    }

    var finished: Data {
        var image = self
        image.extend(to: length)
        return image.bytes.prefix(length)
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers in every run.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: UInt64) -> UInt64 { next() % bound }
}
