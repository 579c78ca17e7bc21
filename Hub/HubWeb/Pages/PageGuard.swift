import Forecasting
import HTTPTypes
import HubStore
import Hummingbird
import HummingbirdCore
import NIOCore

/// Refuses what no page takes, gives every answer the headers that keep it safe, and makes every refusal a page.
struct PageGuard: RouterMiddleware {
    let limits: HubWebLimits

    /// Nothing but our own files, no frame, no script in the page.
    static let contentPolicy =
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
        + " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

    func handle(
        _ request: Request, context: PageContext,
        next: (Request, PageContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await answer(request, context, next)
        } catch {
            guard let refusal = Refusal(of: error) else { throw error }
            response = refusal.response(session: nil)
        }
        Self.secure(&response)
        return response
    }

    /// The headers that every answer has, whatever it is.
    static func secure(_ response: inout Response) {
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.contentSecurityPolicy] = contentPolicy
        // Not "no-referrer": a browser then says of its own forms that they come from nowhere.
        response.headers[HTTPField.Name("Referrer-Policy")!] = "same-origin"
        response.headers[HTTPField.Name("Cross-Origin-Opener-Policy")!] = "same-origin"
        response.headers[HTTPField.Name("Cross-Origin-Resource-Policy")!] = "same-origin"
    }

    private func answer(
        _ request: Request, _ context: PageContext,
        _ next: (Request, PageContext) async throws -> Response
    ) async throws -> Response {
        guard request.head.path.map({ $0.utf8.count <= limits.pathBytesMax }) ?? false else {
            throw Refusal(.uriTooLong)
        }
        switch request.method {
        case .get, .head:
            guard request.headers[.transferEncoding] == nil,
                request.headers[.contentLength].map({ $0 == "0" }) ?? true
            else { throw Refusal(.contentTooLarge) }
        case .post:
            guard Self.isFromOurselves(request) else {
                throw Refusal(.forbidden, "This form was sent by another site.")
            }
        default: throw Refusal(.methodNotAllowed)
        }
        return try await next(request, context)
    }

    /// Whether a page of ours sent it, as far as the browser says where it comes from (Fetch standard, `Origin` and
    /// `Sec-Fetch-Site`). The secret in each form is asked for besides.
    static func isFromOurselves(_ request: Request) -> Bool {
        if let site = request.headers[HTTPField.Name("Sec-Fetch-Site")!],
            site != "same-origin" && site != "none"
        {
            return false
        }
        guard let origin = request.headers[.origin] else { return true }
        guard let authority = request.head.authority else { return false }
        return origin == "http://" + authority || origin == "https://" + authority
    }
}

/// Why a page is not shown.
struct Refusal: Error {
    var status: HTTPResponse.Status
    var reason: String

    init(_ status: HTTPResponse.Status, _ reason: String? = nil) {
        self.status = status
        self.reason =
            reason
            ?? (status == .notFound ? "There is no such page." : status.reasonPhrase + ".")
    }

    /// nil: a fault of this program.
    init?(of error: any Error) {
        switch error {
        case let error as Refusal: self = error
        case let error as HubStoreError: self.init(error)
        case let error as any HTTPResponseError: self.init(error.status)
        default: return nil
        }
    }

    private init(_ error: HubStoreError) {
        let status: HTTPResponse.Status =
            switch error {
            case .notFound: .notFound
            case .alreadyExists, .changedMeanwhile, .refused: .conflict
            case .busy: .serviceUnavailable
            case .notInitialised, .alreadyInitialised, .databaseMissing, .diskFull, .corrupt,
                .newerSchema, .constraint, .failed:
                .internalServerError
            }
        self.init(status, ReportMarkup.sentence(error.description))
    }

    func response(session: PageSession?) -> Response {
        let page = Page(
            "\(status.reasonPhrase)",
            body: """
                <p class="word bad">\(reason)</p>
                <p><a href="/">Back to the overview</a></p>
                """)
        return .page(page, for: session, status: status)
    }
}

extension Response {
    static func page(
        _ page: Page, for session: PageSession?, status: HTTPResponse.Status = .ok
    ) -> Response {
        Response(
            status: status, headers: [.contentType: "text/html; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: page.html(for: session))))
    }

    /// After a form: the browser gets another page, and reloading it sends nothing again.
    static func seeOther(_ link: Link) -> Response {
        Response(status: .seeOther, headers: [.location: link.text])
    }
}
