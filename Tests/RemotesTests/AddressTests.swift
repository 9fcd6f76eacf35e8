import Remotes
import Testing

/// What is an address of a remote, and what it is called afterwards.
@Suite struct AddressTests {
    @Test(arguments: [
        ("/srv/vault", "file:///srv/vault"), ("/srv//vault/./a/../b/", "file:///srv/vault/b"),
        ("/a b/ü%", "file:///a%20b/%C3%BC%25"), ("file:///a%20b/", "file:///a%20b"), ("file:/srv", "file:///srv"),
        ("file://localhost/srv", "file:///srv"), ("relative/dir", "file:///base/relative/dir"),
        ("../up", "file:///up"), ("/with:colon", "file:///with:colon"), ("/q?x#y", "file:///q%3Fx%23y"),
        ("https://host", "https://host/"), ("HTTPS://User@HOST:443/Path", "https://User@host/Path/"),
        ("https://me%40here@host:8443/a%20b/ü//c/", "https://me%40here@host:8443/a%20b/%C3%BC/c/"),
        ("http://[::1]:80/dav", "http://[::1]/dav/"), ("http://localhost:8080", "http://localhost:8080/"),
        ("https://host/remote.php/dav/files/me/", "https://host/remote.php/dav/files/me/"),
    ]) func canonicalFormIsStable(_ text: String, _ canonical: String) throws {
        let address = try RemoteAddress(text, relativeTo: "/base")
        let written = text == "/with:colon" ? "file:///with%3Acolon" : canonical
        #expect(address.description == written)
        #expect(try RemoteAddress(written) == address)
    }

    @Test(
        arguments: [
            ("", .empty), ("a\nb", .controlCharacter), ("https://host/a\u{7F}", .controlCharacter),
            ("ftp://host/", .unknownScheme("ftp")), ("webdav://host/", .unknownScheme("webdav")),
            ("https://user:secret@host/", .hasPassword), ("https://user:@host/", .hasPassword),
            ("https://host/?token=1", .hasQuery), ("https://host/#a", .hasFragment), ("https:host", .badHost),
            ("https:///path", .badHost), ("https://ho st/", .badHost), ("https://höst/", .badHost),
            ("https://host:0/", .badPort), ("https://host:65536/", .badPort), ("https://host:80a/", .badPort),
            ("https://host/a/../b", .badPath), ("https://host/%2e%2e/b", .badPath), ("https://host/a%2Fb", .badPath),
            ("https://host/%00", .badPath), ("https://host/%zz", .badPath), ("https://host/a\\b", .badPath),
            ("file://server/share", .badHost), ("file:///%0a", .badPath), ("file:///a?b", .hasQuery),
            ("relative", .relativePath),
        ] as [(String, RemoteAddressError)]) func othersAreRefused(_ text: String, _ error: RemoteAddressError)
    {
        #expect(throws: error) { try RemoteAddress(text) }
    }
}
