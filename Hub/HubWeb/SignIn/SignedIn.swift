import Forecasting
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging

/// Lets in who is signed in, and leads everybody else to the sign-in page.
struct SignedIn: RouterMiddleware {
    let desk: SignInDesk
    let cookie: SessionCookie
    let clock: PageClock
    let logger: Logger

    func handle(
        _ request: Request, context: PageContext,
        next: (Request, PageContext) async throws -> Response
    ) async throws -> Response {
        guard let secret = cookie.secret(of: request),
            let session = try await desk.session(secret, at: clock.now())
        else {
            guard request.method == .get || request.method == .head else {
                throw Refusal(.unauthorized, "You are not signed in any more: sign in again.")
            }
            return .seeOther(SignInPage.link(next: request.head.path))
        }
        var context = context
        context.session = session
        do {
            return try await next(request, context)
        } catch {
            guard let refusal = Refusal(of: error) else { throw error }
            if refusal.status.kind == .serverError {
                logger.error(
                    "a page failed",
                    metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            }
            return refusal.response(session: session)
        }
    }
}

/// The cookie that a browser holds as long as somebody is signed in.
struct SessionCookie: Sendable {
    /// With TLS the browser sends it over nothing else, to this host alone (RFC 6265bis, `__Host-`).
    let isSecure: Bool

    var name: String { isSecure ? "__Host-shelfcast" : "shelfcast" }
    /// Of the sign-in form alone, before there is a session.
    var formName: String { name + "-form" }

    func secret(of request: Request) -> PageSession.Secret? {
        request.cookies[name].flatMap { PageSession.Secret(cookie: $0.value) }
    }

    func formSecret(of request: Request) -> PageSession.Secret? {
        request.cookies[formName].flatMap { PageSession.Secret(cookie: $0.value) }
    }

    func setting(_ name: String, to value: String, secondsMax: Int?) -> String {
        "\(name)=\(value); Path=/; HttpOnly; SameSite=Strict" + (isSecure ? "; Secure" : "")
            + (secondsMax.map { "; Max-Age=\($0)" } ?? "")
    }
}
