/// 1, device to hub. The first frame of every connection.
package struct Hello: WireMessage, Equatable, Sendable {
    package var versionMin: UInt32 = 0
    package var versionMax: UInt32 = 0
    package var agentVersion: String = ""

    package init() {}

    package init(
        versionMin: UInt32 = 0, versionMax: UInt32 = 0, agentVersion: String = ""
    ) {
        self.versionMin = versionMin
        self.versionMax = versionMax
        self.agentVersion = agentVersion
    }

    package func encode(to writer: inout WireWriter) {
        writer.uint32(1, versionMin)
        writer.uint32(2, versionMax)
        writer.string(3, agentVersion)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: versionMin = try reader.uint32()
        case 2: versionMax = try reader.uint32()
        case 3: agentVersion = try reader.string(bytesMax: Limit.textBytes)
        default: try reader.skip()
        }
    }
}

/// 2, hub to device: the answer to Hello.
package struct Welcome: WireMessage, Equatable, Sendable {
    package var version: UInt32 = 0
    /// Milliseconds since 1970-01-01 UTC.
    package var hubTimeMs: Int64 = 0
    /// What the hub accepts as one payload.
    package var frameBytesMax: UInt32 = 0
    /// Upload.items, SalesOfDay and ForecastsOfDay; else a device sends none of them.
    package var takesColumns: Bool = false

    package init() {}

    package init(
        version: UInt32 = 0, hubTimeMs: Int64 = 0, frameBytesMax: UInt32 = 0,
        takesColumns: Bool = false
    ) {
        self.version = version
        self.hubTimeMs = hubTimeMs
        self.frameBytesMax = frameBytesMax
        self.takesColumns = takesColumns
    }

    package func encode(to writer: inout WireWriter) {
        writer.uint32(1, version)
        writer.int64(2, hubTimeMs)
        writer.uint32(3, frameBytesMax)
        writer.bool(4, takesColumns)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: version = try reader.uint32()
        case 2: hubTimeMs = try reader.int64()
        case 3: frameBytesMax = try reader.uint32()
        case 4: takesColumns = try reader.bool()
        default: try reader.skip()
        }
    }
}

package enum RefusalCode: WireEnum {
    case unspecified
    /// No version in common: update the older side.
    case version
    /// Not a frame, not the message its kind says, or a value that SPEC.md 4 forbids.
    case malformed
    /// A message that has no place here.
    case outOfOrder
    /// Announced more than its ceiling.
    case tooLarge
    case tokenUnknown
    case tokenExpired
    case tokenUsedUp
    /// The signing request is damaged, or its key is not P-256.
    case csrInvalid
    /// Everything but joining needs one from this hub's CA.
    case noCertificate
    case revoked
    /// The operator has not let this device in yet.
    case notApproved
    /// Records before first_sequence are missing; DesiredState says what is stored.
    case sequenceGap
    /// No package of that digest is meant for this device.
    case notFound
    case busy
    /// The hub failed; its log says why.
    case `internal`
    /// A record in an upload breaks SPEC.md 4.
    case recordInvalid
    /// Another device has the same identity, and this one is not, or may not be, the original.
    case copy
    /// A value of a later version.
    case unrecognized(Int32)

    package init(rawValue: Int32) {
        self =
            switch rawValue {
            case 0: .unspecified
            case 1: .version
            case 2: .malformed
            case 3: .outOfOrder
            case 4: .tooLarge
            case 5: .tokenUnknown
            case 6: .tokenExpired
            case 7: .tokenUsedUp
            case 8: .csrInvalid
            case 9: .noCertificate
            case 10: .revoked
            case 11: .notApproved
            case 12: .sequenceGap
            case 13: .notFound
            case 14: .busy
            case 15: .internal
            case 16: .recordInvalid
            case 17: .copy
            default: .unrecognized(rawValue)
            }
    }

    package var rawValue: Int32 {
        switch self {
        case .unspecified: 0
        case .version: 1
        case .malformed: 2
        case .outOfOrder: 3
        case .tooLarge: 4
        case .tokenUnknown: 5
        case .tokenExpired: 6
        case .tokenUsedUp: 7
        case .csrInvalid: 8
        case .noCertificate: 9
        case .revoked: 10
        case .notApproved: 11
        case .sequenceGap: 12
        case .notFound: 13
        case .busy: 14
        case .internal: 15
        case .recordInvalid: 16
        case .copy: 17
        case .unrecognized(let value): value
        }
    }
}

/// 3, hub to device. Ends the connection.
package struct Refusal: WireMessage, Equatable, Sendable {
    package var code: RefusalCode = .unspecified
    /// What is wrong and what to do, for a person.
    package var message: String = ""
    package var retry: Bool = false
    package var retryAfterSeconds: UInt32 = 0

    package init() {}

    package init(
        code: RefusalCode = .unspecified, message: String = "", retry: Bool = false,
        retryAfterSeconds: UInt32 = 0
    ) {
        self.code = code
        self.message = message
        self.retry = retry
        self.retryAfterSeconds = retryAfterSeconds
    }

    package func encode(to writer: inout WireWriter) {
        writer.enumeration(1, code)
        writer.string(2, message)
        writer.bool(3, retry)
        writer.uint32(4, retryAfterSeconds)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: code = try reader.enumeration()
        case 2: message = try reader.string(bytesMax: Limit.textBytes)
        case 3: retry = try reader.bool()
        case 4: retryAfterSeconds = try reader.uint32()
        default: try reader.skip()
        }
    }
}

/// 4, device to hub, on a connection without a client certificate.
package struct JoinRequest: WireMessage, Equatable, Sendable {
    /// 16 bytes, from the token.
    package var secret: [UInt8] = []
    /// PKCS #10, ECDSA P-256; its subject is ignored.
    package var csrDer: [UInt8] = []

    package init() {}

    package init(
        secret: [UInt8] = [], csrDer: [UInt8] = []
    ) {
        self.secret = secret
        self.csrDer = csrDer
    }

    package func encode(to writer: inout WireWriter) {
        writer.bytes(1, secret)
        writer.bytes(2, csrDer)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: secret = try reader.bytes(bytesMax: Limit.secretBytes)
        case 2: csrDer = try reader.bytes(bytesMax: Limit.requestBytes)
        default: try reader.skip()
        }
    }
}

/// 5, hub to device.
package struct JoinReply: WireMessage, Equatable, Sendable {
    package var deviceId: String = ""
    /// The device's own, issued by the CA.
    package var certificateDer: [UInt8] = []
    package var caDer: [UInt8] = []
    package var store: String = ""
    package var approved: Bool = false
    /// The store's, an IANA name.
    package var timeZone: String = ""
    /// The newest root metadata of the hub's repository.
    package var root: [UInt8] = []

    package init() {}

    package init(
        deviceId: String = "", certificateDer: [UInt8] = [], caDer: [UInt8] = [],
        store: String = "", approved: Bool = false, timeZone: String = "",
        root: [UInt8] = []
    ) {
        self.deviceId = deviceId
        self.certificateDer = certificateDer
        self.caDer = caDer
        self.store = store
        self.approved = approved
        self.timeZone = timeZone
        self.root = root
    }

    package func encode(to writer: inout WireWriter) {
        writer.string(1, deviceId)
        writer.bytes(2, certificateDer)
        writer.bytes(3, caDer)
        writer.string(5, store)
        writer.bool(6, approved)
        writer.string(7, timeZone)
        writer.bytes(8, root)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: deviceId = try reader.string(bytesMax: Limit.identifierBytes)
        case 2: certificateDer = try reader.bytes(bytesMax: Limit.certificateBytes)
        case 3: caDer = try reader.bytes(bytesMax: Limit.certificateBytes)
        case 5: store = try reader.string(bytesMax: Limit.identifierBytes)
        case 6: approved = try reader.bool()
        case 7: timeZone = try reader.string(bytesMax: Limit.nameBytes)
        case 8: root = try reader.bytes(bytesMax: Limit.rootBytes)
        default: try reader.skip()
        }
    }
}

/// 16, device to hub.
package struct RenewRequest: WireMessage, Equatable, Sendable {
    package var csrDer: [UInt8] = []

    package init() {}

    package init(
        csrDer: [UInt8] = []
    ) {
        self.csrDer = csrDer
    }

    package func encode(to writer: inout WireWriter) {
        writer.bytes(1, csrDer)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: csrDer = try reader.bytes(bytesMax: Limit.requestBytes)
        default: try reader.skip()
        }
    }
}

/// 17, hub to device.
package struct RenewReply: WireMessage, Equatable, Sendable {
    package var certificateDer: [UInt8] = []

    package init() {}

    package init(
        certificateDer: [UInt8] = []
    ) {
        self.certificateDer = certificateDer
    }

    package func encode(to writer: inout WireWriter) {
        writer.bytes(1, certificateDer)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: certificateDer = try reader.bytes(bytesMax: Limit.certificateBytes)
        default: try reader.skip()
        }
    }
}

/// 21, hub to device. Both close.
package struct Farewell: WireMessage, Equatable, Sendable {
    package var nextContactSeconds: UInt32 = 0

    package init() {}

    package init(
        nextContactSeconds: UInt32 = 0
    ) {
        self.nextContactSeconds = nextContactSeconds
    }

    package func encode(to writer: inout WireWriter) {
        writer.uint32(1, nextContactSeconds)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: nextContactSeconds = try reader.uint32()
        default: try reader.skip()
        }
    }
}
