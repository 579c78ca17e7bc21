import Testing
import UpdateTrust

@Suite("P-256 as metadata writes it")
struct P256TextTests {
    // Made with openssl 3.0: ecparam -name prime256v1 -genkey | ec -pubout, and its -text.
    static let pem = """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAExh8B90dePGDBpqF12pOZntBRkF3k
        k8JDxxVsYo2RVSHkhfuV/YwpaqxDfzdSavSEJUwyWM6VfPJ/G+1b4FVefg==
        -----END PUBLIC KEY-----

        """

    @Test("a key is read from the one form that it has")
    func key() throws {
        let point = try #require(P256Text.point(pem: [UInt8](Self.pem.utf8)))
        #expect(point.count == 65)
        #expect(point.prefix(4) == [0x04, 0xC6, 0x1F, 0x01])
        #expect(point.suffix(3) == [0x55, 0x5E, 0x7E])
        #expect(P256Text.point(pem: [UInt8](Self.pem.dropLast().utf8)) == point)
    }

    @Test("a key in any other form is none")
    func otherKeys() {
        let pem = [UInt8](Self.pem.utf8)
        for count in 0..<(pem.count - 1) {
            #expect(P256Text.point(pem: [UInt8](pem.prefix(count))) == nil, "\(count) bytes")
        }
        #expect(P256Text.point(pem: pem + [0x0A]) == nil)
        #expect(P256Text.point(pem: [0x20] + pem) == nil)
        for index in 27..<60 {
            // The algorithm and the curve are in these characters.
            var other = pem
            other[index] = other[index] == 0x41 ? 0x42 : 0x41
            #expect(P256Text.point(pem: other) == nil, "character \(index)")
        }
        for byte: UInt8 in [0x2D, 0x3D, 0x20, 0x00, 0xFF] {
            var other = pem
            other[100] = byte
            #expect(P256Text.point(pem: other) == nil, "\(byte)")
        }
    }

    static func der(_ r: [UInt8], _ s: [UInt8]) -> [UInt8] {
        let body = [0x02, UInt8(r.count)] + r + [0x02, UInt8(s.count)] + s
        return [0x30, UInt8(body.count)] + body
    }

    @Test("a signature is read into two numbers of 32 bytes")
    func signature() {
        let long = [UInt8](repeating: 0xAA, count: 32)
        let short = [UInt8](repeating: 0x11, count: 31)
        #expect(P256Text.signature(der: Self.der([0] + long, short)) == long + [0] + short)
        #expect(
            P256Text.signature(der: Self.der([1], [0, 0x80])) == [UInt8](repeating: 0, count: 31)
                + [1] + [UInt8](repeating: 0, count: 31) + [0x80])
    }

    @Test("a signature in any other form is none")
    func otherSignatures() {
        let long = [UInt8](repeating: 0xAA, count: 32)
        let small = [UInt8](repeating: 0x11, count: 32)
        let good = Self.der([0] + long, small)
        #expect(P256Text.signature(der: good) != nil)
        for count in 0..<good.count {
            #expect(P256Text.signature(der: [UInt8](good.prefix(count))) == nil, "\(count) bytes")
        }
        #expect(P256Text.signature(der: good + [0]) == nil)
        // Negative; not the shortest form; no number; 33 bytes.
        for r in [long, [0] + small, [], [0x11] + long] {
            #expect(P256Text.signature(der: Self.der(r, small)) == nil, "\(r)")
        }
        #expect(
            P256Text.signature(der: [0x30, 0x81, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01]) == nil)
        #expect(P256Text.signature(der: []) == nil)
    }
}
