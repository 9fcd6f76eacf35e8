/// A name that the top directory of a vault never has: a mount has its control files there, and programs write passwords
/// into them. Wherever names come in, from programs, devices or snapshots, it is refused or becomes another one.
public enum ReservedName {
    /// The folder of control files.
    public static let controls = Array(".coffer".utf8)

    /// - Parameters:
    ///   - name: of an entry.
    ///   - parent: the directory that it is in.
    ///   - top: the top directory.
    public static func contains(_ name: [UInt8], in parent: Identifier, top: Identifier) -> Bool {
        parent == top && name == controls
    }
}
