import Foundation
import Remotes
import Sync
import Synchronization
import TestSupport
import Testing

/// A server that wants to harm: every answer below is refused with a sentence, and costs no more than its bounds.
@Suite struct HostileServerTests {
    private typealias Answer = ScriptedServer.Answer

    private static let start = "<D:multistatus xmlns:D=\"DAV:\">"
    private static let endlessXML = "HTTP/1.1 207 Multi-Status\r\nTransfer-Encoding: chunked\r\n\r\n"

    private static func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }

    struct Listing: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let answer: ScriptedServer.Answer
    }

    /// A listing of `/dav/a/` that is right but for something added to it.
    private static func honest(_ name: String, with more: String = "", after prologue: String = "") -> Listing {
        let itself = """
            <D:response><D:href>/dav/a/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/></D:resourcetype>\
            </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
            """
        let text = ScriptedServer.xml("\(prologue)\(start)\(itself)\(more)</D:multistatus>")
        return Listing(testDescription: name, answer: .bytes(text))
    }

    /// What the listings above are without what was added.
    @Test func theHonestListingIsTaken() async throws {
        let listing = Self.honest("honest", with: "<x/>")
        let server = try ScriptedServer { $0.field("Depth") == "1" ? listing.answer : nil }
        let remote = try WebDAVRemote(WebAddress(server.address), options: .quick)
        #expect(try await remote.list("a").isEmpty)
    }

    static let listings = [
        honest(
            "billion laughs", with: "<x>&b;</x>",
            after: "<!DOCTYPE m [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>"),
        honest("a document type elsewhere", after: "<!DOCTYPE m SYSTEM \"file:///etc/passwd\">"),
        honest("a document type without entities", after: "<!DOCTYPE m>"),
        honest("too deep", with: String(repeating: "<a>", count: 32) + String(repeating: "</a>", count: 32)),
        honest("a long href", with: "<D:response><D:href>\(String(repeating: "a", count: 9000))</D:href></D:response>"),
        Listing(
            testDescription: "an entity without a document type",
            answer: .bytes(ScriptedServer.xml("\(start)&harm;</D:multistatus>"))),
        Listing(
            testDescription: "endless elements",
            answer: .endless(endlessXML + chunk(start), chunk("<a/><b/><a/><b/><a/><b/><a/><b/><a/><b/>"))),
        Listing(
            testDescription: "endless depth", answer: .endless(endlessXML + chunk(start), chunk("<a><a><a><a>"))),
        Listing(
            testDescription: "an endless tag",
            answer: .endless(endlessXML + chunk(start + "<a b=\""), chunk("aaaaaaaa"))),
        Listing(
            testDescription: "an endless href",
            answer: .endless(endlessXML + chunk(start + "<D:response><D:href>"), chunk("aaaaaaaa"))),
        Listing(testDescription: "no XML", answer: .bytes(ScriptedServer.xml("hello"))),
        Listing(testDescription: "half of a listing", answer: .bytes(ScriptedServer.xml("\(start)<D:response>"))),
        Listing(testDescription: "nothing", answer: .bytes(ScriptedServer.xml(""))),
        Listing(
            testDescription: "another folder's listing",
            answer: .bytes(ScriptedServer.multistatus(["/other/", "/other/object"]))),
        Listing(
            testDescription: "another host's listing",
            answer: .bytes(
                ScriptedServer.multistatus(["http://elsewhere.example/dav/a/", "//elsewhere.example/dav/a/"]))),
        Listing(
            testDescription: "endless fields",
            answer: .endless("HTTP/1.1 207 OK\r\n", "A: aaaaaaaaaaaaaaaaaaaaaaaa\r\n")),
        Listing(testDescription: "endless interim answers", answer: .endless("", "HTTP/1.1 100 Continue\r\n\r\n")),
        Listing(
            testDescription: "a redirect to another host",
            answer: .bytes(ScriptedServer.answer("302 Found", "", "Location: http://127.0.0.2:1/dav/a/\r\n"))),
        Listing(
            testDescription: "a redirect to a file",
            answer: .bytes(ScriptedServer.answer("301 Moved", "", "Location: file:///etc/passwd\r\n"))),
        Listing(
            testDescription: "a length that is none",
            answer: .last("HTTP/1.1 207 OK\r\nContent-Length: -5\r\n\r\nhello")),
        Listing(testDescription: "an endless error", answer: .endless("HTTP/1.1 404 No\r\n\r\n", "aaaaaaaa")),
    ]

    @Test(arguments: listings) func listingIsRefused(_ listing: Listing) async throws {
        let server = try ScriptedServer { $0.field("Depth") == "1" ? listing.answer : nil }
        let remote = try WebDAVRemote(WebAddress(server.address), options: .quick)
        do {
            let items = try await remote.list("a")
            Issue.record("\(listing.testDescription) was taken for \(items.count) items")
        } catch RemoteError.malformed(let sentence) {
            #expect(sentence.hasPrefix(server.address))
        } catch RemoteError.unreachable(let sentence) {
            // libcurl itself ends some of them, which looks like a broken connection.
            #expect(["endless fields", "endless interim answers"].contains(listing.testDescription), "\(sentence)")
        }
    }

    @Test func hrefsOutOfTheFolderAreLeftOut() async throws {
        let hrefs = [
            "/dav/a/", "/dav/a/ours", "/dav/a/../b/up", "/dav/a/..", "/dav/a/%2e%2e/up", "/dav/a/..%2fup", "/dav/up",
            "/dav/a/b/deep", "/etc/passwd", "http://elsewhere.example/dav/a/theirs", "//elsewhere.example/dav/a/two",
            "http://user@127.0.0.1/dav/a/three", "file:///dav/a/four", "/dav/a/ours", "/dav/a/%00", "/dav/a/%zz",
            "/dav/a/five?x", "/dav/a/six#x", "/dav/a/se\\ven", "javascript:eight", "", ".", "./nine/..", "relative",
            "/%64av/%61/encoded", "http://127.0.0.1/dav/a/absolute", "https://127.0.0.1:444/dav/a/proxied",
            "/dav/a/folder/",
        ]
        let server = try ScriptedServer { asked in
            asked.field("Depth") == "1" ? .bytes(ScriptedServer.multistatus(hrefs)) : nil
        }
        let remote = try WebDAVRemote(WebAddress(server.address), options: .quick)
        let items = try await remote.list("a")
        #expect(items.map(\.name) == ["absolute", "encoded", "folder", "ours", "proxied", "relative"])
        #expect(items.map(\.isFolder) == [false, false, true, false, false, false])
        #expect(items.first?.tag == "W/\"1\"")
    }

    /// What a GET answers, and what is made of it with a limit of three bytes.
    static let bodies: [(String, ScriptedServer.Answer, RemoteBytes?)] = [
        ("its length", .bytes("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), .bytes(Array("abc".utf8))),
        ("no length", .last("HTTP/1.1 200 OK\r\n\r\nabc"), .bytes(Array("abc".utf8))),
        ("one byte too many", .bytes("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd"), .tooLong),
        ("endless", .endless("HTTP/1.1 200 OK\r\n\r\n", "abcdefgh"), .tooLong),
        (
            "endless chunks", .endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\nabcd\r\n"),
            .tooLong
        ),
        ("less than its length", .last("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"), nil),
        ("a broken chunk", .last("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab"), nil),
        ("packed", .bytes("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"), nil),
        ("a part", .bytes("HTTP/1.1 206 Part\r\nContent-Range: bytes 0-2/9\r\nContent-Length: 3\r\n\r\nabc"), nil),
        ("no content", .bytes("HTTP/1.1 204 None\r\n\r\n"), nil),
        ("HTTP of 1991", .last("abc"), nil),
        ("gone", .bytes("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"), .missing),
    ]

    @Test(arguments: bodies.indices) func bodyIsBounded(_ index: Int) async throws {
        let (name, answer, expected) = Self.bodies[index]
        let server = try ScriptedServer { $0.method == "GET" ? answer : nil }
        let remote = try WebDAVRemote(WebAddress(server.address), options: .quick)
        let read = try? await remote.read("a/object", limit: 3)
        #expect(read == expected, "\(name)")
    }
}
