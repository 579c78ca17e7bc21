import AgentRuntime
import SyncProtocol
import Testing
import UpdateTrust

/// A statement signed by another implementation (Python's `cryptography`, private keys 0x5e1fca57 and
/// 0x5e1fca58), judged by the verifier the device uses.
@Suite("A package statement signed elsewhere, on the device")
struct StatementTrustTests {
    static let statement = bytes(
        "0a20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
            + "10c92918d00e20072a0f323032362d31312d70726f66696c6532066c73746d2d343a023132")
    static let key = bytes(
        "04de6b1f7e1f3ed13d194027dea4a7473997ae527d24d777edfa8b20d6ff3db6"
            + "adf6c24443ff4f6734cc3907dadb4004bf3a4e7eb083eb4572ca34f92e96eeafcf")
    static let signature = bytes(
        "c6f1997ff86045ca471a8102f850adf60ac3a10f83978a02e7a663ea445474de"
            + "2374129af802f903ad0f596c3e5c1855dbc85535534cd9c99fd34a61be246ecb")
    static let otherKey = bytes(
        "04870b1a478c8ddebbbdb650ff674f2f1c3eb1df31f8a0eb477ca4497aa0be8e"
            + "9ab8f0d2d8a05631f567f6d519c139b0c36ece4963c2afd7c34d495e4bfd9ac6fe")
    static let otherSignature = bytes(
        "a68100c4b8c3ce9dd34af0fb4e9277349b51181a991a4e8ccef0ce2dddbe16cb"
            + "4aeadd1510f84897d28f59ee53d9f4f48c6dcb7b25141d691ad7ccc7efa0664d")

    init() {
        #expect(Crypto.setUp())
    }

    @Test("is believed, and says what it says")
    func genuine() throws {
        let signed = try Self.check(Self.statement, Self.signature)
        let said = try PackageStatement(decoding: signed.bytes)
        #expect(
            said
                == PackageStatement(
                    digest: [UInt8](0..<32), packageBytes: 5_321, arenaBytes: 1_872, release: 7,
                    family: "2026-11-profile", variant: "lstm-4", store: "12"))
    }

    @Test("is refused with any bit of it flipped")
    func statementBits() {
        for bit in 0..<Self.statement.count * 8 {
            #expect(throws: TrustError.signatureWrong, "bit \(bit)") {
                try Self.check(Self.flipped(Self.statement, bit), Self.signature)
            }
        }
    }

    @Test("is refused with any bit of its signature flipped")
    func signatureBits() {
        for bit in 0..<Self.signature.count * 8 {
            #expect(throws: TrustError.signatureWrong, "bit \(bit)") {
                try Self.check(Self.statement, Self.flipped(Self.signature, bit))
            }
        }
    }

    @Test("is refused when another key signed it")
    func otherSigner() throws {
        #expect(throws: TrustError.signatureWrong) {
            try Self.check(Self.statement, Self.otherSignature)
        }
        #expect(throws: TrustError.signatureWrong) {
            try Self.check(Self.statement, Self.signature, key: Self.otherKey)
        }
        _ = try Self.check(Self.statement, Self.otherSignature, key: Self.otherKey)
    }

    @Test("is refused by a key that is no point of the curve, and with numbers that are none")
    func degenerate() {
        for bit in stride(from: 8, to: 65 * 8, by: 37) {
            #expect(throws: TrustError.signatureWrong, "bit \(bit)") {
                try Self.check(Self.statement, Self.signature, key: Self.flipped(Self.key, bit))
            }
        }
        let order = Self.bytes("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
        let zero = [UInt8](repeating: 0, count: 32)
        for signature in [zero + zero, order + order, zero + order, order + zero] {
            #expect(throws: TrustError.signatureWrong) {
                try Self.check(Self.statement, signature)
            }
        }
    }

    private static func check(
        _ statement: [UInt8], _ signature: [UInt8], key: [UInt8] = key
    ) throws -> SignedStatement {
        try SignedStatement(
            statement: statement, signature: signature, key: TrustedPackageKey(point: key),
            verifier: DeviceVerifier())
    }

    private static func flipped(_ bytes: [UInt8], _ bit: Int) -> [UInt8] {
        var flipped = bytes
        flipped[bit / 8] ^= 1 << UInt8(bit % 8)
        return flipped
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.utf8.map { UInt8(hexDigit: $0) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

extension UInt8 {
    fileprivate init(hexDigit: UInt8) {
        self = hexDigit >= UInt8(ascii: "a") ? hexDigit - UInt8(ascii: "a") + 10 : hexDigit & 15
    }
}
