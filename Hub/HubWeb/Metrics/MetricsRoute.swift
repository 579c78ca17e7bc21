import HTTPTypes
import HubCore
import HubStore
import Hummingbird
import NIOCore

/// What machines ask: whether the hub is alive, whether it can do its work, and its figures.
enum MetricsRoute {
    static func add(
        to router: Router<PageContext>, store: any HubStore, desk: BearerDesk, clock: PageClock
    ) {
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
        // Any user may look.
        router.get("metrics") { request, context in
            switch try await desk.user(
                request.headers[.authorization], peer: context.peer, at: clock.now())
            {
            case .user: break
            case .missing, .wrong:
                var refused = Response.plain(
                    .unauthorized,
                    "a user's token is needed: 'shelfcast-hub user token create NAME', sent as Authorization: Bearer TOKEN\n"
                )
                refused.headers[.wwwAuthenticate] = "Bearer realm=\"shelfcast\""
                return refused
            case .later(let seconds):
                var refused = Response.plain(
                    .tooManyRequests, "too many wrong tokens came from this address\n")
                refused.headers[.retryAfter] = "\(seconds)"
                return refused
            }
            return Response.plain(
                .ok, try await figures.text(at: clock.now()), type: MetricsText.type)
        }
    }
}
