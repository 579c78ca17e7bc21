import AgentCore
import CPosix
import JSONText

/// Who this device is and whose it is: what joining gave it, and what its operator set. Kept in files of
/// its own, so that a damaged database costs no identity.
///
/// `identity.json` is written last: with it the device has joined.
package struct Identity: Equatable, Sendable {
    package var hubHost: String
    package var hubPort: UInt16
    package var deviceID: String
    package var store: String
    /// IANA name.
    package var timeZone: String
    /// DER.
    package var ca: [UInt8]
    package var certificate: [UInt8]
    package var key: [UInt8]

    package init(
        hubHost: String, hubPort: UInt16, deviceID: String, store: String, timeZone: String,
        ca: [UInt8], certificate: [UInt8], key: [UInt8]
    ) {
        self.hubHost = hubHost
        self.hubPort = hubPort
        self.deviceID = deviceID
        self.store = store
        self.timeZone = timeZone
        self.ca = ca
        self.certificate = certificate
        self.key = key
    }

    /// For people. An IPv6 address is in brackets.
    package var hubAddress: String { Self.address(hubHost, hubPort) }

    static func address(_ host: String, _ port: UInt16) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Without the brackets that somebody may have written around an IPv6 address.
    static func host(_ text: String) -> String {
        let bytes = text.utf8
        guard bytes.first == UInt8(ascii: "["), bytes.last == UInt8(ascii: "]") else { return text }
        return String(decoding: [UInt8](bytes.dropFirst().dropLast()), as: UTF8.self)
    }

    static let keyFile = "device-key.der"
    static let certificateFile = "device-certificate.der"
    static let caFile = "hub-ca.der"
    static let identityFile = "identity.json"

    /// The identity in `directory`; nil when the device has not joined.
    package init?(in directory: String) {
        guard
            let json = Files.read(directory + "/" + Self.identityFile, bytesMax: 16_384),
            let value = try? JSONValue(parsing: json),  // a damaged file is no identity
            let host = value["hubHost"]?.utf8, let device = value["device"]?.utf8,
            let store = value["store"]?.utf8, let zone = value["timeZone"]?.utf8,
            case .number(let portText)? = value["hubPort"], let port = decimal(portText),
            let port = UInt16(exactly: port),
            let ca = Files.read(directory + "/" + Self.caFile, bytesMax: 8192),
            let certificate = Files.read(directory + "/" + Self.certificateFile, bytesMax: 8192),
            let key = Files.read(directory + "/" + Self.keyFile, bytesMax: 1024)
        else { return nil }
        self.init(
            hubHost: String(decoding: host, as: UTF8.self), hubPort: port,
            deviceID: String(decoding: device, as: UTF8.self),
            store: String(decoding: store, as: UTF8.self),
            timeZone: String(decoding: zone, as: UTF8.self), ca: ca,
            certificate: certificate, key: key)
    }

    /// - Returns: what went wrong, or nil.
    package func save(in directory: String) -> String? {
        let json = JSONValue.object([
            .init("hubHost", .string(hubHost)), .init("hubPort", .integer(hubPort)),
            .init("device", .string(deviceID)), .init("store", .string(store)),
            .init("timeZone", .string(timeZone)),
        ])
        for (name, bytes) in [
            (Self.keyFile, key), (Self.caFile, ca), (Self.certificateFile, certificate),
            (Self.identityFile, json.line + [UInt8(ascii: "\n")]),
        ] {
            if let problem = Files.replace(directory + "/" + name, by: bytes) { return problem }
        }
        return nil
    }
}

/// What the operator set on this device: `config.json`.
package struct Configuration: Equatable, Sendable {
    static let fileName = "config.json"

    /// At most `Capabilities.budgetMax`. Nil: derived from the machine's memory.
    package var budgetBytes: UInt64?
    package var labels: [String] = []

    package init(budgetBytes: UInt64? = nil, labels: [String] = []) {
        self.budgetBytes = budgetBytes
        self.labels = labels
    }

    /// An empty configuration when there is none.
    package init(in directory: String) {
        guard let bytes = Files.read(directory + "/" + Self.fileName, bytesMax: 65_536),
            let value = try? JSONValue(parsing: bytes)  // damaged: as if nothing were set
        else { return }
        if case .number(let digits)? = value["memoryBudgetBytes"] {
            // An editor is not held to what the command takes.
            budgetBytes = decimal(digits).map { min($0, Capabilities.budgetMax) }
        }
        if case .array(let values)? = value["labels"] {
            for case .text(let label) in values where Capabilities.isLabel(label) {
                labels.append(String(decoding: label, as: UTF8.self))
            }
        }
    }

    /// - Returns: what went wrong, or nil.
    package func save(in directory: String) -> String? {
        let json = JSONValue.object([
            .init("memoryBudgetBytes", budgetBytes.map { .integer($0) } ?? .null),
            .init("labels", .array(labels.map { .string($0) })),
        ])
        return Files.replace(
            directory + "/" + Self.fileName, by: json.line + [UInt8(ascii: "\n")])
    }
}

/// Bytes as lower-case hexadecimal text.
package enum Hex {
    package static func text(_ bytes: [UInt8]) -> [UInt8] {
        let digits = [UInt8]("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes { text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return text
    }

    package static func bytes(_ text: [UInt8]) -> [UInt8]? {
        guard text.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        var high: UInt8 = 0
        for (index, character) in text.enumerated() {
            let digit: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
            default: return nil
            }
            if index.isMultiple(of: 2) { high = digit } else { bytes.append(high << 4 | digit) }
        }
        return bytes
    }
}
