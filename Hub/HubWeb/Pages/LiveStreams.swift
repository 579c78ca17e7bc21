import HTTPTypes
import HubCore
import HubStore
import Hummingbird
import HummingbirdCore
import NIOCore
import ServiceLifecycle
import Synchronization

/// Server-sent events (HTML standard, section 9.2) for what moves: whenever a piece of a page reads otherwise than before,
/// it is sent anew. However many look at a piece, it is made once a second.
final class LiveStreams: Sendable {
    /// Open at once: of everybody, and of one user. Whoever comes beyond reloads the page by hand.
    static let streamsMax = 64
    static let perUserMax = 12
    /// A stream ends after so long, and the browser opens another.
    static let secondsMax = 300
    private static let quietSecondsMax = 15
    /// Whether somebody is still signed in is asked this often.
    private static let askSeconds = 5
    /// Whether the one who looked has gone, or the hub is to end.
    private static let looksPerSecond = 5

    private struct Made {
        var text: String
        var at: ContinuousClock.Instant
    }

    private let open = Mutex<[String: Int]>([:])
    /// By address; as few as there are open streams.
    private let made = Mutex<[String: Made]>([:])

    /// - Parameters:
    ///   - make: the piece's text; each of its lines becomes one of the event's data.
    ///   - address: of the piece, which is the same for whoever looks.
    ///   - isGood: whether the one who looks still may.
    func response(
        to request: Request, address: String, user: String,
        isGood: @escaping @Sendable () async throws -> Bool,
        _ make: @escaping @Sendable () async throws -> String
    ) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/event-stream"],
            body: .init { [self] writer in
                guard enter(user) else {
                    try await writer.write(ByteBuffer(string: "event: gone\ndata: busy\n\n"))
                    return try await writer.finish(nil)
                }
                defer { leave(user) }
                let departure = Departure()
                try await request.body.consumeWithInboundCloseHandler { _ in
                    try await send(
                        to: &writer, until: departure, address: address, isGood: isGood, make)
                } onInboundClosed: {
                    departure.happened.store(true, ordering: .relaxed)
                }
                try await writer.finish(nil)
            })
    }

    /// Whether the one who looked has gone.
    private final class Departure: Sendable {
        let happened = Atomic(false)
    }

    private func send(
        to writer: inout any ResponseBodyWriter, until departure: Departure, address: String,
        isGood: @Sendable () async throws -> Bool, _ make: @Sendable () async throws -> String
    ) async throws {
        var sent = ""
        var quiet = 0
        for second in 0..<Self.secondsMax {
            if second % Self.askSeconds == 0, try await !isGood() {
                return try await writer.write(
                    ByteBuffer(string: "event: gone\ndata: signed out\n\n"))
            }
            let text = try await piece(address, make)
            if text != sent {
                sent = text
                quiet = 0
                try await writer.write(ByteBuffer(string: Self.event(text)))
            } else {
                quiet += 1
                // Keeps what lies between from closing a connection that seems idle.
                if quiet % Self.quietSecondsMax == 0 {
                    try await writer.write(ByteBuffer(string: ": the same\n\n"))
                }
            }
            for _ in 0..<Self.looksPerSecond {
                if departure.happened.load(ordering: .relaxed) || Task.isShuttingDownGracefully
                    || Task.isCancelled
                {
                    return
                }
                try await Task.sleep(for: .seconds(1) / Self.looksPerSecond)
            }
        }
    }

    private static func event(_ text: String) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return "retry: 2000\nevent: state\n" + lines.map { "data: \($0)\n" }.joined() + "\n"
    }

    private func enter(_ user: String) -> Bool {
        open.withLock { open in
            guard open.values.reduce(0, +) < Self.streamsMax,
                open[user, default: 0] < Self.perUserMax
            else { return false }
            open[user, default: 0] += 1
            return true
        }
    }

    private func leave(_ user: String) {
        let isLast = open.withLock { open in
            open[user, default: 1] -= 1
            if open[user] == 0 { open[user] = nil }
            return open.isEmpty
        }
        if isLast { made.withLock { $0 = [:] } }
    }

    private func piece(
        _ address: String, _ make: @Sendable () async throws -> String
    ) async throws -> String {
        let now = ContinuousClock.now
        if let known = made.withLock({ $0[address] }), now - known.at < .milliseconds(900) {
            return known.text
        }
        let text = try await make()
        made.withLock { made in
            if made.count >= Self.streamsMax { made = [:] }
            made[address] = Made(text: text, at: now)
        }
        return text
    }
}

extension RouterGroup<PageContext> {
    /// A piece of a page as a stream.
    func live(
        _ path: RouterPath, _ visits: Visits,
        _ make: @escaping @Sendable (Visit) async throws -> Markup
    ) {
        get(path) { request, context in
            let visit = try visits.visit(request, context)
            // What cannot be shown is refused before the stream begins.
            _ = try await make(visit)
            return visits.streams.response(
                to: request, address: request.uri.string, user: visit.session.user.name,
                isGood: {
                    try await visit.store.session(
                        secretSHA256: visit.session.secret.sha256, at: visits.clock.now()) != nil
                },
                { try await make(visits.again(visit)).text })
        }
    }
}

extension Markup {
    /// A piece of a page that moves, with the address of its stream.
    init(live link: Link, _ content: Markup) {
        self = "<div data-live=\"\(link.text)\" aria-live=\"off\">\(content)</div>"
    }
}
