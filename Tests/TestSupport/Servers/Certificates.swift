import Foundation

/// An authority made for one test, with what it signed.
public final class Certificates: Sendable {
    /// Where its files are.
    public let home: TemporaryHome
    /// The authority's certificate.
    public var authority: String { home.file("authority.pem") }

    /// Makes an authority.
    public init() throws {
        home = try TemporaryHome()
        if getuid() == 0 {
            // Apache, as nobody, reads them.
            for path in [TemporaryHome.parent, home.path] where path != "/tmp" {
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
            }
        }
        try openssl([
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj",
            "/CN=An authority for tests", "-keyout", home.file("authority.key"), "-out", authority,
        ])
    }

    /// A certificate with its key.
    ///
    /// - Parameters:
    ///   - names: as in subjectAltName, such as `DNS:localhost`.
    ///   - days: how long it holds; 0 is over already.
    public func sign(_ file: String, names: String, days: Int = 2) throws -> (certificate: String, key: String) {
        let (certificate, key) = (home.file("\(file).pem"), home.file("\(file).key"))
        try openssl([
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/CN=\(file)",
            "-keyout", key, "-out", home.file("request"),
        ])
        let extensions = try home.write("subjectAltName=\(names)\n", to: "extensions")
        try openssl([
            "x509", "-req", "-in", home.file("request"), "-CA", authority, "-CAkey", home.file("authority.key"),
            "-CAcreateserial", "-days", "\(days)", "-extfile", extensions, "-out", certificate,
        ])
        for path in [certificate, key, authority] {
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        }
        return (certificate, key)
    }

    private func openssl(_ arguments: [String]) throws {
        try home.command("openssl", arguments).run(expecting: 0)
    }
}
