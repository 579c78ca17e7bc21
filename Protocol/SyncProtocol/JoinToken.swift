/// A join token's text is "shelfcast1." and this in base64url without padding. Not a frame.
package struct JoinToken: WireMessage, Equatable, Sendable {
    package var host: String = ""
    package var port: UInt32 = 0
    /// Of the CA certificate's DER.
    package var caSha256: [UInt8] = []
    /// 16 bytes.
    package var secret: [UInt8] = []

    package init() {}

    package init(
        host: String = "", port: UInt32 = 0, caSha256: [UInt8] = [], secret: [UInt8] = []
    ) {
        self.host = host
        self.port = port
        self.caSha256 = caSha256
        self.secret = secret
    }

    package func encode(to writer: inout WireWriter) {
        writer.string(1, host)
        writer.uint32(2, port)
        writer.bytes(3, caSha256)
        writer.bytes(4, secret)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: host = try reader.string(bytesMax: Limit.hostBytes)
        case 2: port = try reader.uint32()
        case 3: caSha256 = try reader.bytes(bytesMax: Limit.digestBytes)
        case 4: secret = try reader.bytes(bytesMax: Limit.secretBytes)
        default: try reader.skip()
        }
    }
}
