internal import Format
internal import Sealing
internal import Synchronization
internal import SystemPackage

/// What a lock has left in the reserve goes into the vault with the next opening.
///
/// A file whose content is still the one that the change was made from gets it as one new version. Where that is another
/// one by now, or the file is gone, the content becomes a file in the top directory. What is in the vault already is left
/// alone, so that a process which is killed in between does nothing twice.
extension Vault {
    /// Reads the reserve; called once, before anybody else has the vault.
    func takeReserve() {
        var report = ReserveReport()
        // Of each file the last record: it has what the ones before have.
        var last: [Identifier: Int] = [:]
        var number = 0
        let found = reserve.open { record, _ in
            if case .content(let content) = record { last[content.file] = number }
            number += 1
        }
        guard found != .nothing else { return }
        number = 0
        var isWhole = true
        reserve.again { record, bytes in
            switch record {
            case .content(let content):
                if last[content.file] == number { isWhole = take(content, bytes, &report) && isWhole }
            case .lost(let count, let paths):
                report.lost += paths.map { String(decoding: $0, as: UTF8.self) }
                report.lostNotListed += max(0, Int(count) - paths.count)
            }
            number += 1
        }
        finish(found, isWhole, &report)
        let result = report
        reserveReport.withLock { $0 = result }
    }

    private func finish(_ found: Reserve.Found, _ isWhole: Bool, _ report: inout ReserveReport) {
        if found == .damaged {
            report.damaged = reserve.setAside()
            for content in contents.withLock({ Array($0.values) }) { content.withLock { $0.reserved = nil } }
        }
        guard !isReadOnly, isWhole else { return }
        settleReserve()
    }

    /// Empties the reserve once all that came from it is saved.
    func settleReserve() {
        guard reserve.isFilled, !isReadOnly else { return }
        let isWaiting = contents.withLock { Array($0.values) }.contains { content in
            content.withLockIfAvailable { $0.isDirty && $0.reserved != nil } ?? true
        }
        if !isWaiting, (try? makeDurable()) != nil { reserve.clear() }
    }

    /// Puts one content back.
    ///
    /// - Returns: false where it has to stay in the reserve for the next opening.
    private func take(_ content: ReservedContent, _ bytes: RawSpan, _ report: inout ReserveReport) -> Bool {
        let path = String(decoding: content.path, as: UTF8.self)
        guard !isReadOnly else {
            report.waiting.append(path)
            return false
        }
        if let node = liveNode(of: content.file) {
            if present(node) == content.base, put(content, bytes, into: node, isOnBase: true) {
                report.restored.append(ReserveReport.Restored(path: path))
                return true
            }
            if has(node, content, bytes) { return true }
        }
        switch recover(content, bytes, path) {
        case .made(let name):
            report.restored.append(ReserveReport.Restored(path: path, copy: name, isInParts: content.kept > 0))
        case .alreadyThere: break
        case .impossible:
            report.waiting.append(path)
            return false
        }
        return true
    }

    private func liveNode(of file: Identifier) -> Node? {
        tree.withLock { tree in
            guard let node = tree.node(of: file), let inode = try? tree.inode(node), inode.isRegular, inode.links > 0,
                inode.slot != 0, !inode.isErased
            else { return nil }
            return node
        }
    }

    /// The content that the store has of a file.
    private func present(_ node: Node) -> ContentReference? {
        guard let slot = tree.withLock({ try? $0.inode(node).slot }) else { return nil }
        return try? withReader { (reader) throws(Errno) in
            try unsafe reader.file(slot) { (record, _) throws(Errno) in record.content }
        }
    }

    /// Whether a file has all that was to be saved of this content.
    private func has(_ node: Node, _ content: ReservedContent, _ bytes: RawSpan) -> Bool {
        guard (try? attributes(of: node).size) == content.size else { return false }
        return content.chunks.allSatisfy { chunk in
            var isEqual = false
            let offset = UInt64(chunk.index) * UInt64(Limits.chunkSize)
            let wanted = bytes.extracting(chunk.range)
            _ = try? read(node, offset: offset, count: Limits.chunkSize) { found in
                isEqual = Vault.isPadded(found, wanted)
            }
            return isEqual
        }
    }

    /// Whether `found` is `wanted`, cut off or continued by zeroes.
    private static func isPadded(_ found: RawSpan, _ wanted: RawSpan) -> Bool {
        unsafe found.withUnsafeBytes { found in
            unsafe wanted.withUnsafeBytes { wanted in
                let common = min(found.count, wanted.count)
                return unsafe found[..<common].elementsEqual(wanted[..<common])
                    && found[common...].allSatisfy { $0 == 0 }
            }
        }
    }

    /// Makes it the content of a file, in memory, and tries to save it.
    private func put(_ content: ReservedContent, _ bytes: RawSpan, into node: Node, isOnBase: Bool) -> Bool {
        guard let open = try? openContent(node) else { return false }
        open.withLock { state in
            state.versionSaved = false
            if isOnBase { resize(&state, to: content.kept) }
            resize(&state, to: content.size)
            for chunk in content.chunks {
                let dirty = DirtyChunk()
                dirty.bytes.append(bytes.extracting(chunk.range))
                state.dirty[chunk.index] = dirty
            }
            tree.withLock { tree in tree.update(node) { $0.modified = content.modified } }
            state.reserved = state.changes
            _ = try? commit(&state)
        }
        dropCleanContent(node)
        return true
    }

    private enum Recovery {
        /// A file of this name.
        case made(String)
        /// By an opening that was interrupted.
        case alreadyThere
        case impossible
    }

    /// Makes a file of it in the top directory.
    private func recover(_ content: ReservedContent, _ bytes: RawSpan, _ path: String) -> Recovery {
        let last = path.split(separator: "/").last.map(String.init) ?? "entry"
        let day = Vault.day(content.modified)
        for number in 1...100 {
            let more = number == 1 ? "" : " \(number)"
            let name = "\(Vault.shortened(last)) (not saved, \(day))\(more)"
            let nameBytes = Array(name.utf8)
            if let found = unsafe try? lookup(nameBytes.span.bytes, in: .root, remember: false).0 {
                if has(found, content, bytes) { return .alreadyThere }
                continue
            }
            let made = unsafe try? makeNode(
                nameBytes.span.bytes, in: .root, mode: FileType.regular | 0o600, owner: mounter, device: 0,
                remember: false
            ).0
            guard let made else { return .impossible }
            return put(content, bytes, into: made, isOnBase: false) ? .made(name) : .impossible
        }
        return .impossible
    }

    /// At most 200 bytes.
    private static func shortened(_ name: String) -> String {
        var name = name
        while name.utf8.count > 200 { name.removeLast() }
        return name
    }

    /// The day of a time, in UTC: `2026-11-30` (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    private static func day(_ time: Timestamp) -> String {
        // Bounded: the year of any time that a record can have.
        let days = max(-4_000_000, min(4_000_000, time.seconds / 86400)) + 719_468
        let era = (days >= 0 ? days : days - 146_096) / 146_097
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let place = (5 * dayOfYear + 2) / 153
        let (day, month) = (dayOfYear - (153 * place + 2) / 5 + 1, place < 10 ? place + 3 : place - 9)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(yearOfEra + era * 400 + (month <= 2 ? 1 : 0))-\(two(month))-\(two(day))"
    }
}
