import AgentCore
import CPosix
import CTLS

/// Whom a connection trusts and who it says it is.
package struct Trust: Sendable {
    /// SPEC 6.2: what a hub's certificate is for, whatever address was dialled.
    package static let hubName = "shelfcast-hub"

    package enum Anchor: Sendable {
        /// The CA certificate of the hub this device joined, as DER.
        case ca([UInt8])
        /// Joining: the SHA-256 of the CA certificate, from the token.
        case pinned([UInt8])
    }

    package var anchor: Anchor
    package var certificate: [UInt8]
    package var key: [UInt8]
    /// Our clock is certainly behind: a certificate "from the future" is then no fault.
    package var clockIsBehind: Bool
    /// Our clock is certainly ahead: a certificate that seems to have expired is then no fault.
    package var clockIsAhead: Bool

    package init(
        anchor: Anchor, certificate: [UInt8] = [], key: [UInt8] = [], clockIsBehind: Bool = false,
        clockIsAhead: Bool = false
    ) {
        self.anchor = anchor
        self.certificate = certificate
        self.key = key
        self.clockIsBehind = clockIsBehind
        self.clockIsAhead = clockIsAhead
    }
}

/// Why there is no connection, or no longer. The text is for an operator.
package struct ConnectionError: Error, Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// Nobody answers: the hub or the network is away.
        case unreachable
        /// Somebody answers who is not our hub, or does not take us.
        case refused
        /// It was there, and ended.
        case broken
    }

    package var kind: Kind
    package var text: String

    package init(_ kind: Kind, _ text: String) {
        self.kind = kind
        self.text = text
    }
}

/// One TLS 1.3 connection over TCP, never waiting: every step, from looking up the name on, says what to wait for.
package final class SecureConnection {
    package enum Progress: Equatable, Sendable {
        case done
        case waitToRead
        case waitToWrite
    }

    private enum Stage {
        case lookingUp(NameSearch)
        case connecting
        case handshaking
        case open
    }

    /// Of the socket; another one after an address that did not answer. Negative: there is none.
    private var socket: Int32 = -1
    private let address: String
    private let port: UInt16
    /// Those that were not tried yet.
    private var addresses: [NetworkAddress] = []
    private var lookupBytes: UInt64 = 0
    /// Steady milliseconds: when the address in turn, and when the whole of connecting and handshake is given up.
    private var (turnEnds, openEnds): (Int64, Int64) = (.max, .max)
    private var tls: OpaquePointer?
    private let trust: Trust
    private var stage: Stage
    private var outgoing: [UInt8] = []
    private var outgoingSent = 0
    private var buffer = [UInt8](repeating: 0, count: 16_384)

    /// Nothing happens before the first `advance`.
    package init(
        host: String, port: UInt16, trust: Trust, names: NameSources = NameSources(),
        now: Int64 = AgentClock.steadyMilliseconds()
    ) {
        address = Identity.address(host, port)
        self.port = port
        self.trust = trust
        stage = .lookingUp(NameSearch(host, names, now: now))
    }

    deinit {
        if let tls {
            if isOpen { shelfcast_tls_close(tls) }
            shelfcast_tls_free(tls)
        }
        closeSocket()
    }

    private func closeSocket() {
        if socket >= 0 { _ = shelfcast_close(socket) }
        socket = -1
    }

    /// What to poll.
    package var descriptor: Int32 {
        if case .lookingUp(let search) = stage { return search.descriptor }
        return socket
    }

    /// When `advance` must be called although nothing is ready, in steady milliseconds.
    package var wakeAt: Int64 {
        switch stage {
        case .lookingUp(let search): return search.wakeAt
        case .connecting: return turnEnds
        case .handshaking: return openEnds
        case .open: return .max
        }
    }

    /// Over the wire so far, both ways, TLS included.
    package var wireBytes: UInt64 {
        lookupBytes + (tls.map { shelfcast_tls_wire_bytes($0) } ?? 0)
    }

    package var isOpen: Bool { if case .open = stage { true } else { false } }
    package var hasOutgoing: Bool { outgoingSent < outgoing.count }
    /// The CA certificate that joining accepted.
    package var joinedCA: [UInt8]? {
        guard let tls else { return nil }
        var count = 0
        guard let bytes = shelfcast_tls_ca(tls, &count) else { return nil }
        return [UInt8](UnsafeBufferPointer(start: bytes, count: count))
    }

    /// An address among several gets so long, in milliseconds, before the next has its turn.
    static let turnMilliseconds: Int64 = 3_000

    /// One step towards an open connection.
    /// - Parameter now: steady milliseconds.
    package func advance(now: Int64 = AgentClock.steadyMilliseconds()) throws(ConnectionError)
        -> Progress
    {
        if case .lookingUp(let search) = stage {
            let found: [NetworkAddress]?
            defer { lookupBytes = search.wireBytes }
            found = try search.advance(now: now)
            guard let found else { return .waitToRead }
            addresses = found
            openEnds = now + HubLink.openMilliseconds
            stage = .connecting
            try connectToNext(after: nil, now: now)
        }
        if case .connecting = stage {
            guard try hasConnected(now: now) else { return .waitToWrite }
            tls = try Self.open(socket, trust)
            stage = .handshaking
        }
        guard now < openEnds || isOpen else { throw tooLate }
        guard case .handshaking = stage, let tls else { return .done }
        switch Int(shelfcast_tls_handshake(tls)) {
        case SHELFCAST_TLS_DONE:
            stage = .open
            return .done
        case SHELFCAST_TLS_WANT_READ: return .waitToRead
        case SHELFCAST_TLS_WANT_WRITE: return .waitToWrite
        case SHELFCAST_TLS_CLOSED:
            throw ConnectionError(.refused, "the hub at \(address) closed during the TLS handshake")
        default: throw ConnectionError(.refused, errorOf(tls))
        }
    }

    private var tooLate: ConnectionError {
        ConnectionError(.unreachable, "the hub at " + address + " does not answer within 10 s")
    }

    /// - Parameter error: why the address before did not do; nil: its turn is over, or there was none.
    private func connectToNext(after error: Int32?, now: Int64) throws(ConnectionError) {
        closeSocket()
        var error = error
        while let next = addresses.first {
            addresses.removeFirst()
            let result = next.bytes.withUnsafeBufferPointer {
                shelfcast_connect_internet(
                    $0.baseAddress!,  // 4 or 16
                    $0.count, String(decoding: next.zone, as: UTF8.self), port,
                    Int32(SHELFCAST_STREAM))
            }
            if result >= 0 {
                socket = result
                turnEnds = addresses.isEmpty ? openEnds : min(openEnds, now + Self.turnMilliseconds)
                return
            }
            error = result
        }
        guard let error else { throw tooLate }
        throw ConnectionError(
            .unreachable, "the hub at " + address + " cannot be reached: " + errorText(error))
    }

    private func hasConnected(now: Int64) throws(ConnectionError) -> Bool {
        while true {
            var entry = shelfcast_poll_entry(
                descriptor: socket, wanted: UInt8(SHELFCAST_POLL_WRITE), ready: 0)
            _ = shelfcast_poll(&entry, 1, 0)
            guard entry.ready != 0 else {
                guard now >= turnEnds else { return false }
                try connectToNext(after: nil, now: now)
                continue
            }
            let result = shelfcast_connect_result(socket)
            guard result != 0 else { return true }
            try connectToNext(after: result, now: now)
        }
    }

    /// Queues bytes; `flush` sends them.
    package func send(_ bytes: [UInt8]) {
        carriedBytes += UInt64(bytes.count)
        if outgoingSent == outgoing.count {
            outgoing = bytes
            outgoingSent = 0
        } else {
            outgoing += bytes
        }
    }

    /// Frames so far, both ways, beside what TLS adds.
    package private(set) var carriedBytes: UInt64 = 0

    /// Sends what the socket takes.
    package func flush() throws(ConnectionError) {
        guard isOpen, let tls else { return }
        while outgoingSent < outgoing.count {
            let result = outgoing.withUnsafeBufferPointer { bytes in
                Int(
                    shelfcast_tls_write(
                        tls, bytes.baseAddress! + outgoingSent,  // not empty: the loop's condition
                        bytes.count - outgoingSent))
            }
            if result > 0 {
                outgoingSent += result
                continue
            }
            guard result != SHELFCAST_TLS_WANT_READ,
                result != SHELFCAST_TLS_WANT_WRITE
            else { return }
            throw ConnectionError(.broken, errorOf(tls))
        }
        outgoing = []
        outgoingSent = 0
    }

    /// What has arrived; empty while nothing more is there. Nil when the hub has closed.
    package func receive() throws(ConnectionError) -> [UInt8]? {
        guard isOpen, let tls else { return [] }
        let result = Int(shelfcast_tls_read(tls, &buffer, buffer.count))
        if result > 0 {
            carriedBytes += UInt64(result)
            return [UInt8](buffer.prefix(result))
        }
        switch result {
        case SHELFCAST_TLS_WANT_READ, SHELFCAST_TLS_WANT_WRITE:
            return []
        case SHELFCAST_TLS_CLOSED: return nil
        default: throw ConnectionError(.broken, errorOf(tls))
        }
    }

    private func errorOf(_ tls: OpaquePointer) -> String {
        String(cString: shelfcast_tls_error(tls))
    }

    private static func open(
        _ descriptor: Int32, _ trust: Trust
    ) throws(ConnectionError) -> OpaquePointer {
        var (ca, pin): ([UInt8], [UInt8]) = ([], [])
        switch trust.anchor {
        case .ca(let der): ca = der
        case .pinned(let digest): pin = digest
        }
        var error: Int32 = 0
        // The C side copies all of it before it returns.
        let opened = ca.withUnsafeBufferPointer { ca in
            pin.withUnsafeBufferPointer { pin in
                trust.certificate.withUnsafeBufferPointer { certificate in
                    trust.key.withUnsafeBufferPointer { key in
                        Trust.hubName.withCString { name in
                            var plain = shelfcast_tls_trust(
                                ca_der: ca.isEmpty ? nil : ca.baseAddress, ca_bytes: ca.count,
                                pinned_sha256: pin.isEmpty ? nil : pin.baseAddress,
                                certificate_der: certificate.isEmpty
                                    ? nil : certificate.baseAddress,
                                certificate_bytes: certificate.count,
                                key_der: key.isEmpty ? nil : key.baseAddress, key_bytes: key.count,
                                server_name: name, clock_is_behind: trust.clockIsBehind ? 1 : 0,
                                clock_is_ahead: trust.clockIsAhead ? 1 : 0)
                            return shelfcast_tls_open(descriptor, &plain, &error)
                        }
                    }
                }
            }
        }
        guard let opened else {
            throw ConnectionError(
                .refused,
                "this device's own certificate or key cannot be used (mbedTLS -\(-error)); join again"
            )
        }
        return opened
    }
}
