import Crypto
import NIOCore
import NIOPosix
import NIOSSL
import SwiftASN1
import SyncProtocol
import Testing
import X509

/// A device written for tests: its own key and certificate, and connections that send what they are
/// told, right or wrong.
struct TestDevice: Sendable {
    var key: P256.Signing.PrivateKey
    var rootDER: [UInt8]
    /// nil: not joined.
    var certificateDER: [UInt8]?
    var id = ""
    var reply = JoinReply()

    init(rootDER: [UInt8]) {
        key = P256.Signing.PrivateKey()
        self.rootDER = rootDER
    }

    static func joining(
        with secret: [UInt8], rootDER: [UInt8], port: Int
    ) async throws -> TestDevice {
        var device = TestDevice(rootDER: rootDER)
        let request = JoinRequest(secret: secret, csrDer: try device.signingRequest())
        device.reply = try await device.connected(port: port) { connection in
            _ = try await connection.greet()
            try await connection.send(.joinRequest(request))
            guard case .joinReply(let reply) = try await connection.next() else {
                throw TestFailure("no JoinReply")
            }
            return reply
        }
        device.certificateDER = device.reply.certificateDer
        device.id = device.reply.deviceId
        return device
    }

    func signingRequest() throws -> [UInt8] { try Self.signingRequest(for: .init(key)) }

    static func signingRequest(for key: Certificate.PrivateKey) throws -> [UInt8] {
        let request = try CertificateSigningRequest(
            version: .v1, subject: try DistinguishedName { CommonName("whatever") },
            privateKey: key, attributes: .init())
        var serializer = DER.Serializer()
        try serializer.serialize(request)
        return serializer.serializedBytes
    }

    /// Opens a TLS connection, with the certificate if there is one, for as long as `body` runs.
    func connected<Value: Sendable>(
        port: Int, _ body: (inout TestConnection) async throws -> Value
    ) async throws -> Value {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv13
        configuration.trustRoots = .certificates([
            try NIOSSLCertificate(bytes: rootDER, format: .der)
        ])
        if let certificateDER {
            configuration.certificateChain = [
                .certificate(try NIOSSLCertificate(bytes: certificateDER, format: .der))
            ]
            configuration.privateKey = .privateKey(
                try NIOSSLPrivateKey(bytes: Array(key.derRepresentation), format: .der))
        }
        let context = try NIOSSLContext(configuration: configuration)
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: context, serverHostname: "shelfcast-hub"))
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var connection = TestConnection(
                inbound: inbound.makeAsyncIterator(), outbound: outbound)
            return try await body(&connection)
        }
    }

    /// Opens a connection without TLS, sends, and gives back all there was until it was closed.
    static func plain(port: Int, sending bytes: [UInt8]) async throws -> [UInt8] {
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(bytes: bytes))
            var answer: [UInt8] = []
            for try await more in inbound { answer += Array(more.readableBytesView) }
            return answer
        }
    }

    /// Connects, says Hello and Register, and hands over the DesiredState.
    func registered<Value: Sendable>(
        port: Int, _ register: Register = .test(),
        _ body: (inout TestConnection, DesiredState) async throws -> Value
    ) async throws -> Value {
        try await connected(port: port) { connection in
            _ = try await connection.greet()
            let desired = try await connection.register(register)
            return try await body(&connection, desired)
        }
    }
}

/// One open connection, read and written frame by frame or byte by byte.
struct TestConnection {
    var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var decoder = FrameDecoder(from: .hub)
    /// What came ahead of the DesiredStates until now.
    private(set) var metadata: [Metadata] = []

    init(
        inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.inbound = inbound
        self.outbound = outbound
    }

    func send(_ message: Message) async throws { try await send(bytes: encodeFrame(message)) }

    func send(bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }

    /// The hub's next message beside metadata, which is kept; nil when it has closed.
    mutating func next() async throws -> Message? {
        while true {
            if let message = try decoder.next() {
                guard case .metadata(let file) = message else { return message }
                metadata.append(file)
                continue
            }
            do {
                guard let more = try await inbound.next() else { return nil }
                decoder.push(Array(more.readableBytesView))
            } catch NIOSSLError.uncleanShutdown {
                return nil
            }
        }
    }

    /// Checks the hub's next message; nil: that it has closed.
    mutating func expect(
        _ expected: Message?, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let message = try await next()
        #expect(message == expected, sourceLocation: sourceLocation)
    }

    /// Uploads, and checks the answer.
    mutating func upload(
        _ first: UInt64, _ records: [Record], ack: UInt64,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await send(.upload(Upload(firstSequence: first, records: records)))
        try await expect(
            .uploadAck(UploadAck(throughSequence: ack)), sourceLocation: sourceLocation)
    }

    /// Says Hello and awaits Welcome.
    mutating func greet() async throws -> Welcome {
        try await send(.hello(Hello(versionMin: 1, versionMax: 1, agentVersion: "test")))
        switch try await next() {
        case .welcome(let welcome): return welcome
        case let other: throw TestFailure("no Welcome but \(String(describing: other))")
        }
    }

    mutating func register(_ register: Register = .test()) async throws -> DesiredState {
        try await send(.register(register))
        switch try await next() {
        case .desiredState(let desired): return desired
        case let other: throw TestFailure("no DesiredState but \(String(describing: other))")
        }
    }

    /// The refusal that comes next, and that the hub then closes.
    mutating func refusal() async throws -> Refusal {
        guard case .refusal(let refusal) = try await next() else {
            throw TestFailure("no Refusal")
        }
        guard try await next() == nil else { throw TestFailure("words after a Refusal") }
        return refusal
    }
}

extension Register {
    static func test(
        contact: Contact = .visit, budgetBytes: UInt64 = 10_000, running: RunningPackage? = nil
    ) -> Register {
        Register(
            architecture: "x86_64", cpuFeatures: ["avx2"], cores: 2, memoryTotalBytes: 1 << 26,
            memoryAvailableBytes: 1 << 25, modelMemoryBudgetBytes: budgetBytes,
            flashFreeBytes: 1 << 28, runtimeFeatures: ["lstm-int8-v2"], powerSource: .mains,
            contact: contact, agentVersion: "test", running: running)
    }
}
