/// One frame's worth of meaning. A case's kind, sender and ceiling are in `MessageKind`.
package enum Message: Equatable, Sendable {
    case hello(Hello)
    case welcome(Welcome)
    case refusal(Refusal)
    case joinRequest(JoinRequest)
    case joinReply(JoinReply)
    case register(Register)
    case desiredState(DesiredState)
    case fetch(Fetch)
    case chunk(Chunk)
    case packageReport(PackageReport)
    case noted
    case upload(Upload)
    case uploadAck(UploadAck)
    case contextRequest(ContextRequest)
    case context(Context)
    case renewRequest(RenewRequest)
    case renewReply(RenewReply)
    case ping
    case pong
    case goodbye
    case farewell(Farewell)
    case contextNotice(ContextNotice)
    case metadata(Metadata)
}

/// Which of the two wrote a frame.
package enum Peer: Sendable {
    case device
    case hub
}

/// The fifth byte of a frame (SPEC 3.1).
package enum MessageKind: UInt8, CaseIterable, Sendable {
    case hello = 1
    case welcome = 2
    case refusal = 3
    case joinRequest = 4
    case joinReply = 5
    case register = 6
    case desiredState = 7
    case fetch = 8
    case chunk = 9
    case packageReport = 10
    case noted = 11
    case upload = 12
    case uploadAck = 13
    case contextRequest = 14
    case context = 15
    case renewRequest = 16
    case renewReply = 17
    case ping = 18
    case pong = 19
    case goodbye = 20
    case farewell = 21
    case contextNotice = 22
    case metadata = 40

    /// Whether `peer` may send this kind.
    package func isSent(by peer: Peer) -> Bool {
        switch self {
        case .hello, .joinRequest, .register, .fetch, .packageReport, .upload, .contextRequest,
            .renewRequest, .goodbye:
            peer == .device
        case .welcome, .refusal, .joinReply, .desiredState, .chunk, .noted, .uploadAck, .context,
            .renewReply, .farewell, .contextNotice, .metadata:
            peer == .hub
        case .ping, .pong: true
        }
    }

    /// The ceiling of the payload (SPEC 4.1), with room for what later versions add.
    package var payloadBytesMax: Int {
        switch self {
        case .noted, .ping, .pong, .goodbye, .farewell, .welcome, .uploadAck, .contextRequest,
            .contextNotice, .fetch:
            256
        case .hello: 2_048
        case .refusal, .joinRequest, .packageReport, .renewRequest: 4_096
        case .desiredState, .renewReply: 8_192
        case .register: 16_384
        case .joinReply: 49_152
        case .chunk, .upload, .metadata: 65_536
        case .context: 262_144
        }
    }
}

extension Message {
    package var kind: MessageKind {
        switch self {
        case .hello: .hello
        case .welcome: .welcome
        case .refusal: .refusal
        case .joinRequest: .joinRequest
        case .joinReply: .joinReply
        case .register: .register
        case .desiredState: .desiredState
        case .fetch: .fetch
        case .chunk: .chunk
        case .packageReport: .packageReport
        case .noted: .noted
        case .upload: .upload
        case .uploadAck: .uploadAck
        case .contextRequest: .contextRequest
        case .context: .context
        case .renewRequest: .renewRequest
        case .renewReply: .renewReply
        case .ping: .ping
        case .pong: .pong
        case .goodbye: .goodbye
        case .farewell: .farewell
        case .contextNotice: .contextNotice
        case .metadata: .metadata
        }
    }

    func encodePayload(to writer: inout WireWriter) {
        switch self {
        case .hello(let message): message.encode(to: &writer)
        case .welcome(let message): message.encode(to: &writer)
        case .refusal(let message): message.encode(to: &writer)
        case .joinRequest(let message): message.encode(to: &writer)
        case .joinReply(let message): message.encode(to: &writer)
        case .register(let message): message.encode(to: &writer)
        case .desiredState(let message): message.encode(to: &writer)
        case .fetch(let message): message.encode(to: &writer)
        case .chunk(let message): message.encode(to: &writer)
        case .packageReport(let message): message.encode(to: &writer)
        case .upload(let message): message.encode(to: &writer)
        case .uploadAck(let message): message.encode(to: &writer)
        case .contextRequest(let message): message.encode(to: &writer)
        case .context(let message): message.encode(to: &writer)
        case .renewRequest(let message): message.encode(to: &writer)
        case .renewReply(let message): message.encode(to: &writer)
        case .farewell(let message): message.encode(to: &writer)
        case .contextNotice(let message): message.encode(to: &writer)
        case .metadata(let message): message.encode(to: &writer)
        case .noted, .ping, .pong, .goodbye: break
        }
    }

    init(kind: MessageKind, from reader: inout WireReader) throws(WireError) {
        switch kind {
        case .hello: self = .hello(try Self.whole(from: &reader))
        case .welcome: self = .welcome(try Self.whole(from: &reader))
        case .refusal: self = .refusal(try Self.whole(from: &reader))
        case .joinRequest: self = .joinRequest(try Self.whole(from: &reader))
        case .joinReply: self = .joinReply(try Self.whole(from: &reader))
        case .register: self = .register(try Self.whole(from: &reader))
        case .desiredState: self = .desiredState(try Self.whole(from: &reader))
        case .fetch: self = .fetch(try Self.whole(from: &reader))
        case .chunk: self = .chunk(try Self.whole(from: &reader))
        case .packageReport: self = .packageReport(try Self.whole(from: &reader))
        case .upload: self = .upload(try Self.whole(from: &reader))
        case .uploadAck: self = .uploadAck(try Self.whole(from: &reader))
        case .contextRequest: self = .contextRequest(try Self.whole(from: &reader))
        case .context: self = .context(try Self.whole(from: &reader))
        case .renewRequest: self = .renewRequest(try Self.whole(from: &reader))
        case .renewReply: self = .renewReply(try Self.whole(from: &reader))
        case .farewell: self = .farewell(try Self.whole(from: &reader))
        case .contextNotice: self = .contextNotice(try Self.whole(from: &reader))
        case .metadata: self = .metadata(try Self.whole(from: &reader))
        case .noted: self = try Self.empty(.noted, from: &reader)
        case .ping: self = try Self.empty(.ping, from: &reader)
        case .pong: self = try Self.empty(.pong, from: &reader)
        case .goodbye: self = try Self.empty(.goodbye, from: &reader)
        }
    }

    private static func whole<M: WireMessage>(
        from reader: inout WireReader
    ) throws(WireError) -> M {
        var message = M()
        try reader.read(into: &message)
        return message
    }

    /// A message without fields may get some in a later version: they are read over.
    private static func empty(
        _ message: Message, from reader: inout WireReader
    ) throws(WireError) -> Message {
        var fields = NoFields()
        try reader.read(into: &fields)
        return message
    }
}

/// Noted, Ping, Pong and Goodbye: the kind says it all.
private struct NoFields: WireMessage {
    func encode(to writer: inout WireWriter) {}
    mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        try reader.skip()
    }
}
