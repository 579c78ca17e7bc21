import Crypto
import HTTPTypes
import HubCore
import HubStore
import Hummingbird
import NIOCore

/// What machines ask: whether the hub is alive, whether it can do its work, and its figures.
enum MetricsRoute {
    static let tokenBytesMax = 256

    static func add(to router: Router<PageContext>, store: any HubStore, clock: PageClock) {
        let figures = HubFigures(store: store)
        router.get("healthz") { _, _ in Response.plain(.ok, "ok\n") }
        // Ready: the database answers.
        router.get("readyz") { _, _ in
            do {
                _ = try await store.changeCounter()
                return Response.plain(.ok, "ok\n")
            } catch {
                return Response.plain(.serviceUnavailable, "the database does not answer\n")
            }
        }
        router.get("metrics") { request, _ in
            guard try await isUser(request, store) else {
                var refused = Response.plain(
                    .unauthorized,
                    "a user's token is needed: 'shelfcast-hub user token create NAME', sent as Authorization: Bearer TOKEN\n"
                )
                refused.headers[.wwwAuthenticate] = "Bearer realm=\"shelfcast\""
                return refused
            }
            return Response.plain(
                .ok, try await figures.text(at: clock.now()), type: MetricsText.type)
        }
    }

    /// Any user may look (RFC 6750, section 2.1).
    private static func isUser(_ request: Request, _ store: any HubStore) async throws -> Bool {
        guard let header = request.headers[.authorization], header.utf8.count <= tokenBytesMax
        else {
            return false
        }
        let words = header.split(separator: " ")
        guard words.count == 2, words[0].lowercased() == "bearer" else { return false }
        let digest = Array(SHA256.hash(data: Array(words[1].utf8)))
        return try await store.user(tokenSHA256: digest) != nil
    }
}
