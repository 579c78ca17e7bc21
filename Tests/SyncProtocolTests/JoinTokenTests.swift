import SyncProtocol
import Testing

@Suite("A join token")
struct JoinTokenTests {
    static let token = JoinToken(
        host: "hub.example", port: 7_420, caSha256: [UInt8](0..<32),
        secret: [UInt8](0xF0...0xFF))
    /// Made with the stock protobuf implementation and Python's base64.
    static let text =
        "shelfcast1.CgtodWIuZXhhbXBsZRD8ORogAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBka"
        + "GxwdHh8iEPDx8vP09fb3-Pn6-_z9_v8"

    @Test("is written as the stock implementation and RFC 4648 write it, and read back")
    func golden() throws {
        #expect(Self.token.text == Self.text)
        #expect(try JoinToken(text: Self.text) == Self.token)
    }

    @Test("of any length of host survives the way through text", arguments: 1...253)
    func lengths(hostBytes: Int) throws {
        var token = Self.token
        token.host = String(repeating: "h", count: hostBytes)
        token.port = UInt32(hostBytes) * 259
        #expect(try JoinToken(text: token.text) == token)
    }

    private static let body = String(text.dropFirst(11))
    private static let notTokens: [(String, JoinTokenError)] = [
        ("", .prefix),
        ("shelfcast1", .prefix),
        ("shelfcast2.\(body)", .prefix),
        (" \(text)", .prefix),
        ("Shelfcast1.\(body)", .prefix),
        ("shelfcast1.", .incomplete),
        ("\(text)=", .damaged),
        ("\(text)\n", .damaged),
        (text.replacing("g", with: "+"), .damaged),
        ("\(text)AAAA", .damaged),
        ("shelfcast1." + String(repeating: "A", count: 4_000), .damaged),
    ]

    @Test("that is something else, or only part of one, is refused", arguments: notTokens)
    func refused(text: String, error: JoinTokenError) {
        #expect(throws: error) { try JoinToken(text: text) }
    }

    @Test("cut short anywhere is refused")
    func cutShort() {
        for count in 0..<Self.text.utf8.count {
            #expect(throws: JoinTokenError.self, "\(count) characters") {
                try JoinToken(text: String(Self.text.prefix(count)))
            }
        }
    }

    @Test("with one character changed is never taken for the same token")
    func oneCharacter() {
        let characters = [UInt8](Self.text.utf8)
        for i in characters.indices {
            for other in [UInt8(ascii: "A"), UInt8(ascii: "z"), UInt8(ascii: "_"), 0x2B]
            where other != characters[i] {
                var changed = characters
                changed[i] = other
                // Either refused, or another host, hash or secret: then the hub or the CA check says no.
                let token = try? JoinToken(text: String(decoding: changed, as: UTF8.self))
                #expect(token != Self.token, "character \(i)")
            }
        }
    }

    @Test(
        "without host, port, hash or secret is refused",
        arguments: [
            JoinToken(host: "", port: 1, caSha256: token.caSha256, secret: token.secret),
            JoinToken(host: "h", port: 0, caSha256: token.caSha256, secret: token.secret),
            JoinToken(host: "h", port: 65_536, caSha256: token.caSha256, secret: token.secret),
            JoinToken(host: "h", port: 1, caSha256: [1], secret: token.secret),
            JoinToken(host: "h", port: 1, caSha256: token.caSha256, secret: [1]),
        ])
    func incomplete(token: JoinToken) {
        #expect(throws: JoinTokenError.incomplete) { try JoinToken(text: token.text) }
    }

    @Test("never shows its secret in an error")
    func errorsKeepTheSecret() {
        for error in [JoinTokenError.prefix, .damaged, .incomplete] {
            #expect(!error.explanation.contains(Self.text.suffix(8)))
            #expect(error.explanation.contains("token"))
        }
    }
}
