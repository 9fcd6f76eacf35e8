/// The tables of a vault, format 1. Every row is opaque: a random slot, a seal (nonce and tag, 40
/// bytes) and padded ciphertext. No column holds a name, a tree, a size or a time.
enum Schema {
    static let version: Int64 = 1

    /// `content` and `body` stand last, so that reading the seals touches no overflow page.
    static let statements = [
        "CREATE TABLE header (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE root (id INTEGER PRIMARY KEY CHECK (id = 1), seal BLOB NOT NULL, body BLOB NOT NULL)",
        "CREATE TABLE entry (slot INTEGER PRIMARY KEY, seal BLOB NOT NULL, body BLOB NOT NULL)",
        "CREATE TABLE file (slot INTEGER PRIMARY KEY, seal BLOB NOT NULL, body BLOB NOT NULL, content BLOB)",
        "CREATE TABLE chunk (slot INTEGER PRIMARY KEY, seal BLOB NOT NULL, cell INTEGER, body BLOB NOT NULL)",
        "CREATE TABLE version (slot INTEGER PRIMARY KEY, seal BLOB NOT NULL, body BLOB NOT NULL, content BLOB)",
        "CREATE TABLE operation (slot INTEGER PRIMARY KEY, seal BLOB NOT NULL, body BLOB NOT NULL)",
        "CREATE TABLE sync (slot INTEGER PRIMARY KEY, seal BLOB NOT NULL, body BLOB NOT NULL)",
        "CREATE TABLE outbox (slot INTEGER PRIMARY KEY, seal BLOB NOT NULL, body BLOB NOT NULL)",
        "CREATE TABLE damaged (id INTEGER PRIMARY KEY, origin TEXT NOT NULL, slot INTEGER, seal BLOB, body BLOB, content BLOB)",
    ]

    static func create(in connection: Connection) throws(DatabaseFailure) {
        try connection.execute("PRAGMA application_id = \(Connection.applicationIdentifier)")
        try connection.execute("BEGIN IMMEDIATE")
        for statement in statements { try connection.execute(statement) }
        try connection.execute("PRAGMA user_version = \(version)")
    }
}
