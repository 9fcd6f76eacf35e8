internal import Sync

/// Gathers the resources of a listing.
// `@unchecked Sendable`: used by its parser only, and by whoever made both once the parser has finished.
final class Listing: @unchecked Sendable {
    private let host: String
    private let base: [[UInt8]]
    /// What the server says of the resource that was asked for.
    private(set) var itself: MultistatusParser.Entry?
    private(set) var items: [RemoteItem] = []
    private var names: Set<String> = []

    init(host: String, base: [[UInt8]]) {
        self.host = host
        self.base = base
    }

    /// - Returns: why no more is wanted.
    func take(_ entry: MultistatusParser.Entry) -> String? {
        switch Href(entry.href, host: host, base: base) {
        case .elsewhere: break
        case .itself: itself = itself ?? entry
        case .child(let name):
            guard RemoteItem.isOurs(name), names.insert(name).inserted else { return nil }
            items.append(
                RemoteItem(
                    name: name, isFolder: entry.isFolder, size: entry.isFolder ? nil : entry.size,
                    tag: entry.isFolder ? nil : tag(of: entry)))
        }
        return items.count <= RemoteItem.limit ? nil : "its folder holds too much"
    }

    /// The ETag, weak or not, since it only tells whether to look again; else time and length.
    private func tag(of entry: MultistatusParser.Entry) -> String? {
        entry.tag ?? entry.modified.map { "\($0)-\(entry.size.map(String.init) ?? "")" }
    }
}
