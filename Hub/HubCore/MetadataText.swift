import Forecasting
import JSONText
import UpdateTrust

/// How metadata is written (specification 1.0.34, section 4.2.1).
package enum MetadataText {
    static let specification = "1.0.34"
    /// Of one file; the largest are bins, and far below.
    static let bytesMax = 1 << 20
    static let depthMax = 16

    package static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = [UInt8]("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return String(decoding: text, as: UTF8.self)
    }

    /// `2031-11-21T09:05:00Z`; the whole second at or before `time`, between 1970 and 2199.
    package static func moment(_ time: Timestamp) -> String {
        let seconds = time.millisecondsSince1970.flooredDivision(by: 1000)
        let days = seconds.flooredDivision(by: 86_400)
        let ofDay = seconds - days * 86_400
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return BusinessDay(daysSince1970: Int32(clamping: days)).iso8601
            + "T\(two(ofDay / 3600)):\(two(ofDay / 60 % 60)):\(two(ofDay % 60))Z"
    }

    /// - Parameter members: in any order.
    static func object(_ members: [JSONValue.Member]) -> JSONValue {
        .object(members.sorted { JSONValue.precedes($0.name, $1.name) })
    }

    static func read(_ bytes: [UInt8], role: String) throws(RepositoryError) -> JSONValue {
        do throws(JSONError) {
            return try JSONValue(
                strictly: bytes, bytesMax: bytesMax, depthMax: depthMax, valuesMax: bytesMax)
        } catch {
            throw .unreadable(role: role, what: error.text)
        }
    }

    static func canonical(_ signed: JSONValue) -> [UInt8] {
        do throws(JSONError) {
            return try signed.canonical()
        } catch {
            preconditionFailure("whole numbers only were written: \(error.text)")
        }
    }
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> Int64 {
        self >= 0 ? self / divisor : -((divisor - 1 - self) / divisor)
    }
}

/// What signs: keys that the hub has, by id, and SHA-256.
package protocol MetadataSigner: Sendable {
    func sha256(_ bytes: [UInt8]) -> [UInt8]
    func has(keyID: String) -> Bool
    /// ECDSA over P-256 with SHA-256, an ECDSA-Sig-Value in DER.
    func sign(_ message: [UInt8], keyID: String) throws -> [UInt8]
}

/// One signature of a metadata file.
package struct MetadataSignature: Hashable, Sendable {
    package var keyID: String
    /// DER, in hexadecimal.
    package var signature: String

    package init(keyID: String, signature: String) {
        self.keyID = keyID
        self.signature = signature
    }
}

/// What is signed and by whom: the outer form of every metadata file.
struct MetadataEnvelope {
    /// Members in the order of their names.
    var signed: JSONValue
    var signatures: [MetadataSignature]

    init(signed: JSONValue, signatures: [MetadataSignature] = []) {
        self.signed = signed
        self.signatures = signatures
    }

    init(_ bytes: [UInt8], role: String) throws(RepositoryError) {
        let document = try MetadataText.read(bytes, role: role)
        guard let signed = document["signed"], case .object = signed else {
            throw .unreadable(role: role, what: "nothing in 'signed'")
        }
        guard case .array(let list)? = document["signatures"] else {
            throw .unreadable(role: role, what: "nothing in 'signatures'")
        }
        self.signed = signed
        signatures = []
        for element in list {
            guard let id = element["keyid"]?.utf8, let signature = element["sig"]?.utf8 else {
                throw .unreadable(role: role, what: "a signature without 'keyid' or 'sig'")
            }
            signatures.append(
                MetadataSignature(
                    keyID: String(decoding: id, as: UTF8.self),
                    signature: String(decoding: signature, as: UTF8.self)))
        }
    }

    var canonical: [UInt8] { MetadataText.canonical(signed) }

    mutating func sign(_ keyID: String, _ signer: some MetadataSigner) throws {
        let signature = try signer.sign(canonical, keyID: keyID)
        signatures.removeAll { $0.keyID == keyID }
        signatures.append(
            MetadataSignature(keyID: keyID, signature: MetadataText.hexadecimal(signature)))
    }

    var bytes: [UInt8] {
        let list = signatures.map { signature in
            JSONValue.object([
                JSONValue.Member("keyid", .string(signature.keyID)),
                JSONValue.Member("sig", .string(signature.signature)),
            ])
        }
        return JSONValue.object([
            JSONValue.Member("signatures", .array(list)), JSONValue.Member("signed", signed),
        ]).line
    }
}
