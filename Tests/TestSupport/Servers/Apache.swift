import Foundation

/// Apache with mod_dav, and with what the tests of credentials and of TLS ask of it.
public struct Apache: Sendable {
    /// Whom it lets in.
    public enum Authentication: Sendable {
        case none
        case basic(user: String, password: String)
        case digest(user: String, password: String)
        case bearer(token: String)
    }

    public var authentication = Authentication.none
    /// Files of the server's certificate and key, and of the authority whose client certificates it wants.
    public var tls: (certificate: String, key: String, clients: String?)?

    public init(
        authentication: Authentication = .none, tls: (certificate: String, key: String, clients: String?)? = nil
    ) {
        (self.authentication, self.tls) = (authentication, tls)
    }

    private static let modules = [
        "mpm_event", "authz_core", "authn_core", "authn_file", "auth_basic", "auth_digest", "authz_user", "dav",
        "dav_fs", "ssl", "http2",
    ]

    /// How it is started on a folder.
    public func recipe(_ home: TemporaryHome, _ folder: String, _ port: Int) throws -> Server.Recipe {
        let modules = Self.modules.map { "LoadModule \($0)_module /usr/lib/apache2/modules/mod_\($0).so" }
        let locks = try home.directory("locks")
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: locks)
        let configuration = """
            \(modules.joined(separator: "\n"))
            ServerRoot "\(locks)"
            ServerName localhost
            Listen 127.0.0.1:\(port)
            PidFile "\(locks)/pid"
            DefaultRuntimeDir "\(locks)"
            Mutex pthread
            ErrorLog "\(locks)/errors"
            LogFormat "%H %m %U %>s" requests
            CustomLog "\(locks)/requests" requests
            DavLockDB "\(locks)/DavLock"
            KeepAlive On
            MaxKeepAliveRequests 0
            KeepAliveTimeout 3600
            LimitXMLRequestBody 65536
            DocumentRoot "\(folder)"
            \(try secure(home))
            <Directory "\(folder)">
                Dav On
                Options None
                AllowOverride None
                \(try authorization(home))
            </Directory>
            """
        let file = try home.write(configuration, to: "apache.conf")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        let apache = ["/usr/sbin/apache2", "-f", file, "-DFOREGROUND"]
        // As root it would refuse to serve; a user serves as that user.
        let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        let words = (getuid() == 0 ? nobody : []) + apache
        return Server.Recipe(command: Command(words[0], Array(words.dropFirst())), sign: "locks/pid")
    }

    private func secure(_ home: TemporaryHome) throws -> String {
        guard let tls else { return "" }
        return """
            SSLEngine on
            SSLCertificateFile "\(tls.certificate)"
            SSLCertificateKeyFile "\(tls.key)"
            \(tls.clients.map { "SSLCACertificateFile \"\($0)\"\nSSLVerifyClient require" } ?? "")
            Protocols h2 http/1.1
            """
    }

    private func authorization(_ home: TemporaryHome) throws -> String {
        let file: String
        switch authentication {
        case .none:
            return "Require all granted"
        case .bearer(let token):
            return "Require expr \"%{HTTP:Authorization} == 'Bearer \(token)'\""
        case .basic(let user, let password):
            let hash = try Command("openssl", ["passwd", "-apr1", password]).run(expecting: 0).text
            file = try home.write("\(user):\(hash)", to: "users")
        case .digest(let user, let password):
            let sum = try Command("md5sum", input: "\(user):vault:\(password)").run(expecting: 0).text
            file = try home.write("\(user):vault:\(sum.prefix(32))\n", to: "users")
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        let (type, provider): (String, String)
        if case .digest = authentication {
            (type, provider) = ("Digest", "AuthDigestProvider")
        } else {
            (type, provider) = ("Basic", "AuthBasicProvider")
        }
        return """
            AuthType \(type)
            AuthName "vault"
            \(provider) file
            AuthUserFile "\(file)"
            Require valid-user
            """
    }
}
