import AgentCore
import CPosix
import JSONText

/// The Unix socket of a running agent: JSON lines in, one JSON line out for each. Tills may send many
/// lines at once; those waiting are recorded together, and answered after the commit.
final class LocalServer {
    static let fileName = "agent.sock"
    static let clientsMax = 16
    /// A client that does not read its answers is not read either.
    static let outgoingBytesMax = 262_144
    static let linesAtOnceMax = 500
    /// Tills must get in too.
    static let subscribersMax = 8
    /// Events waiting for one subscriber. One that does not read is told that it missed some, and let go.
    static let eventBytesMax = 262_144
    /// A client that is being let go has so long to read its last line.
    static let farewellMilliseconds: Int64 = 5_000

    final class Client {
        let descriptor: Int32
        var incoming: [UInt8] = []
        var outgoing: [UInt8] = []
        /// Waits for the hub: its next lines wait with it.
        var awaitsSync = false
        var isClosing = false
        var isSubscribed = false
        /// Let go then, whatever it has not read.
        var closesAt = Int64.max

        init(_ descriptor: Int32) { self.descriptor = descriptor }
        deinit { _ = shelfcast_close(descriptor) }

        func answer(_ value: JSONValue) {
            outgoing += value.line
            outgoing.append(UInt8(ascii: "\n"))
        }

        /// The answer to a sale that was taken, one alone or one among those of other lines.
        func answer(takenAlone: Bool, isDurable: Bool) {
            add(takenAlone ? #"{"ok":true,"recorded":1,"repeated":0"# : #"{"ok":true"#)
            add(isDurable ? "}\n" : ",\"durable\":false}\n")
        }

        private func add(_ text: StaticString) {
            outgoing += UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        }
    }

    let descriptor: Int32
    private(set) var clients: [Client] = []
    private let path: String
    private var buffer = [UInt8](repeating: 0, count: 65_536)

    init(directory: String) throws(AgentError) {
        path = directory + "/" + Self.fileName
        let result = shelfcast_listen_unix(path)
        guard result >= 0 else {
            throw .failed("cannot listen on \(path): \(errorText(result))")
        }
        descriptor = result
    }

    deinit {
        _ = shelfcast_close(descriptor)
        _ = shelfcast_remove(path)
    }

    func accept() {
        while clients.count < Self.clientsMax {
            let accepted = shelfcast_accept(descriptor)
            guard accepted >= 0 else { return }
            clients.append(Client(accepted))
        }
    }

    func wanted(_ client: Client) -> UInt8 {
        var wanted = 0
        if !client.outgoing.isEmpty { wanted |= SHELFCAST_POLL_WRITE }
        if client.outgoing.count < Self.outgoingBytesMax, !client.isClosing, !client.awaitsSync {
            wanted |= SHELFCAST_POLL_READ
        }
        return UInt8(wanted)
    }

    /// Whether a client has whole lines waiting that were left for the next turn.
    var hasWaitingLines: Bool {
        clients.contains {
            !$0.awaitsSync && !$0.isClosing && $0.outgoing.count < Self.outgoingBytesMax
                && $0.incoming.contains(UInt8(ascii: "\n"))
        }
    }

    func read(_ client: Client) {
        let count = shelfcast_read(client.descriptor, &buffer, buffer.count)
        if count > 0 {
            client.incoming += buffer.prefix(Int(count))
        } else if count != Int64(shelfcast_error_again()) {
            client.isClosing = true
        }
    }

    /// Up to `linesAtOnceMax` whole lines of `client`.
    func takeLines(of client: Client) -> [[UInt8]] {
        guard !client.awaitsSync else { return [] }
        var lines: [[UInt8]] = []
        var start = 0
        while lines.count < Self.linesAtOnceMax,
            let end = client.incoming[start...].firstIndex(of: UInt8(ascii: "\n"))
        {
            var line = [UInt8](client.incoming[start..<end])
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            lines.append(line)
            start = end + 1
        }
        client.incoming.removeFirst(start)
        if client.incoming.count > LocalRequest.lineBytesMax,
            !client.incoming.contains(UInt8(ascii: "\n"))
        {
            client.incoming = []
            client.isClosing = true
            client.answer(
                AgentService.failure(
                    .usage("a line longer than \(LocalRequest.lineBytesMax) bytes")))
        }
        return lines
    }

    /// Puts lines back that must wait.
    func putBack(_ lines: ArraySlice<[UInt8]>, to client: Client) {
        var bytes: [UInt8] = []
        for line in lines {
            bytes += line
            bytes.append(UInt8(ascii: "\n"))
        }
        client.incoming = bytes + client.incoming
    }

    func write(_ client: Client) {
        guard !client.outgoing.isEmpty else { return }
        let count = client.outgoing.withUnsafeBufferPointer {
            shelfcast_write(client.descriptor, $0.baseAddress!, $0.count)  // not empty
        }
        if count > 0 {
            client.outgoing.removeFirst(Int(count))
        } else if count != Int64(shelfcast_error_again()) {
            client.outgoing = []
            client.isClosing = true
        }
    }

    var hasSubscribers: Bool { clients.contains { $0.isSubscribed } }

    /// - Returns: false when there are too many.
    func subscribe(_ client: Client) -> Bool {
        guard client.isSubscribed || clients.count(where: { $0.isSubscribed }) < Self.subscribersMax
        else { return false }
        client.isSubscribed = true
        return true
    }

    /// Tells `client`, or every subscriber. What a socket does not take at once waits.
    func tell(_ event: JSONValue, to client: Client? = nil, now: Int64) {
        let line = event.line + [UInt8(ascii: "\n")]
        for subscriber in clients
        where subscriber.isSubscribed && !subscriber.isClosing
            && (client == nil || subscriber === client)
        {
            if subscriber.outgoing.count + line.count <= Self.eventBytesMax {
                subscriber.outgoing += line
            } else {
                subscriber.answer(
                    .object([
                        .init("event", .string("dropped")),
                        .init(
                            "error",
                            .string(
                                "events were not read for too long: subscribe again, and ask status and forecast for what was missed"
                            )),
                    ]))
                subscriber.isSubscribed = false
                subscriber.isClosing = true
                subscriber.closesAt = now + Self.farewellMilliseconds
            }
            write(subscriber)
        }
    }

    /// When a client has to be let go at the latest.
    var nextClose: Int64 { clients.reduce(Int64.max) { min($0, $1.closesAt) } }

    /// Lets go of clients that have closed and got their answers.
    func sweep(now: Int64) {
        clients.removeAll {
            $0.isClosing && !$0.awaitsSync && ($0.outgoing.isEmpty || now >= $0.closesAt)
        }
    }
}
