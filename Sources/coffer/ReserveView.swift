internal import SystemPackage
internal import Vault

extension ReserveReport {
    /// What there is to say of contents that could not be saved before the vault was locked last.
    var lines: [String] {
        var lines = restored.map { item in
            guard let copy = item.copy else {
                return "Put back: \(item.path), which could not be saved before the last lock"
            }
            let what = item.isInParts ? "the changed parts of \(item.path)" : item.path
            return "Put back: \(what), as \(copy), since the entry has changed or is gone"
        }
        lines += waiting.map { "Not saved: \($0); it waits in the reserve until the vault can be written" }
        lines += lost.map { "Lost: what was written into \($0), for which there was no room before the last lock" }
        if lostNotListed > 0 { lines.append("Lost: the same of \(lostNotListed) more") }
        if let damaged {
            lines.append(
                "Damaged: what was left in the reserve does not open, or not to its end; it is in \(damaged) now")
        }
        return lines
    }
}
