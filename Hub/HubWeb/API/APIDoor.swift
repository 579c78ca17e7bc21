import Forecasting
import HTTPTypes
import HubCore
import HubStore
import Hummingbird
import HummingbirdCore
import JSONText
import Logging
import NIOCore

/// Answers everything under `/api`, in JSON, whatever is asked: the routes of `APITable`, and problem details for all the
/// rest. It knows no cookies and no sessions: a request shows its token or is refused, so no other site's page can act in
/// somebody's name, and nothing here needs a form's proof.
struct APIDoor: RouterMiddleware {
    static let prefix = "/api/v1"
    /// Of a request's body; what is sent to the API is small.
    static let bodyBytesMax = 16 << 10
    private static let bodyDepthMax = 6
    private static let bodyValuesMax = 1_024

    let hub: APIHub
    let desk: BearerDesk
    let limits: HubWebLimits
    let logger: Logger

    func handle(
        _ request: Request, context: PageContext,
        next: (Request, PageContext) async throws -> Response
    ) async throws -> Response {
        let path = String(request.head.path?.prefix { $0 != "?" } ?? "")
        guard path == "/api" || path.hasPrefix("/api/") else {
            return try await next(request, context)
        }
        var response: Response
        do {
            response = try await answer(request, path, peer: context.peer)
        } catch {
            if let known = APIProblem(of: error) {
                if known.status.kind == .serverError {
                    log(error, request, path)
                }
                response = known.response(to: path)
            } else {
                log(error, request, path)
                response = APIProblem(
                    .internalServerError, "The hub failed; nothing was changed by this request.",
                    at: nil, "Whoever keeps the hub finds more in its log."
                ).response(to: path)
            }
        }
        PageGuard.secure(&response)
        return request.method == .head ? response.createHeadResponse() : response
    }

    private func log(_ error: any Error, _ request: Request, _ path: String) {
        logger.error(
            "an answer of the API failed",
            metadata: [
                "path": "\(path)", "method": "\(request.method.rawValue)", "error": "\(error)",
            ])
    }

    private func answer(
        _ request: Request, _ path: String, peer: String
    ) async throws -> Response {
        guard (request.head.path?.utf8.count ?? 0) <= limits.pathBytesMax else {
            throw APIProblem(
                .uriTooLong, "The address has more than \(limits.pathBytesMax) bytes.", at: "path")
        }
        let (route, parameters) = try Self.route(request.method, path)
        let now = hub.clock.now()
        var user: UserRecord?
        var tokenSHA256: [UInt8] = []
        if let role = route.role {
            (user, tokenSHA256) = try await self.user(request, peer, at: now)
            guard role == .viewer || user?.role == .operator else {
                throw APIProblem(
                    .forbidden, "A viewer may look; this is an operator's to do.", at: "token",
                    "Send the token of a user who is an operator: shelfcast-hub user list.")
            }
        }
        let call = APICall(
            hub: hub, request: request, user: user, tokenSHA256: tokenSHA256, path: parameters,
            query: try Self.query(request, route), body: try await Self.body(request, route),
            now: now)
        return try await route.act(call)
    }

    /// - Throws: `APIProblem`: 404 where there is nothing, 405 where that is not done with it.
    static func route(
        _ method: HTTPRequest.Method, _ path: String
    ) throws -> (APIRoute, parameters: [String: String]) {
        guard path.hasPrefix(prefix + "/") else { throw nothingThere }
        let parts = path.dropFirst(prefix.utf8.count + 1).split(
            separator: "/", omittingEmptySubsequences: false)
        var allowed: [HTTPRequest.Method] = []
        for route in APITable.routes {
            guard let parameters = match(route.parts, parts) else { continue }
            if route.method == method || route.method == .get && method == .head {
                return (route, parameters)
            }
            allowed += route.method == .get ? [.get, .head] : [route.method]
        }
        guard !allowed.isEmpty else { throw nothingThere }
        let names = allowed.map(\.rawValue).joined(separator: ", ")
        var problem = APIProblem(
            .methodNotAllowed, "That is not done with it.", at: "method", "It takes \(names).")
        problem.headers[.allow] = names
        throw problem
    }

    private static let nothingThere = APIProblem(
        .notFound, "There is nothing at this address.", at: "path",
        "\(prefix)/openapi.json says what there is.")

    private static func match(
        _ pattern: [Substring], _ parts: [Substring]
    ) -> [String: String]? {
        guard pattern.count == parts.count else { return nil }
        var parameters: [String: String] = [:]
        for (wanted, part) in zip(pattern, parts) {
            if wanted.hasPrefix("{") {
                // Broken escapes name nothing.
                guard let text = Link.decoded(part) else { return nil }
                parameters[String(wanted.dropFirst().dropLast())] = text
            } else if wanted != part {
                return nil
            }
        }
        return parameters
    }

    private func user(
        _ request: Request, _ peer: String, at now: Timestamp
    ) async throws -> (UserRecord, [UInt8]) {
        let advice =
            "Make one with 'shelfcast-hub user token create NAME', and send Authorization: Bearer TOKEN."
        switch try await desk.user(request.headers[.authorization], peer: peer, at: now) {
        case .user(let user, let tokenSHA256): return (user, tokenSHA256)
        case .missing:
            var problem = APIProblem(
                .unauthorized, "The token of a user is needed.", at: "header Authorization", advice)
            problem.headers[.wwwAuthenticate] = "Bearer realm=\"shelfcast\""
            throw problem
        case .wrong:
            var problem = APIProblem(
                .unauthorized, "The token is nobody's, or was withdrawn.",
                at: "header Authorization", advice)
            problem.headers[.wwwAuthenticate] =
                "Bearer realm=\"shelfcast\", error=\"invalid_token\""
            throw problem
        case .later(let seconds):
            var problem = APIProblem(
                .tooManyRequests, "Too many wrong tokens came from this address.",
                at: "header Authorization", "Send the right token, which is never held up.")
            problem.headers[.retryAfter] = "\(seconds)"
            throw problem
        }
    }

    private static func query(
        _ request: Request, _ route: APIRoute
    ) throws -> [String: JSONValue] {
        guard let text = request.uri.query, !text.isEmpty else {
            try refuseMissing([:], route)
            return [:]
        }
        guard let fields = FormFields(text) else {
            throw APIProblem(
                .badRequest, "The query cannot be read.", at: "query",
                "Escape every value as a URL does, in UTF-8.")
        }
        var values: [String: JSONValue] = [:]
        for (name, text) in fields.all {
            guard let parameter = route.query.first(where: { $0.name == name }) else {
                let known = route.query.map(\.name)
                throw APIProblem(
                    .badRequest, "There is no such parameter.", at: "query \(name.prefix(64))",
                    known.isEmpty
                        ? "This takes none." : "There are \(known.joined(separator: ", ")).")
            }
            guard let value = parameter.schema.value(ofText: text),
                parameter.schema.fault(of: value, at: name) == nil
            else {
                let fault = parameter.schema.fault(
                    of: parameter.schema.value(ofText: text) ?? .null, at: name)
                throw APIProblem(
                    .badRequest, "It cannot be taken: \(fault?.what ?? "it is something else").",
                    at: "query \(name)", parameter.meaning)
            }
            values[name] = value
        }
        try refuseMissing(values, route)
        return values
    }

    private static func refuseMissing(
        _ values: [String: JSONValue], _ route: APIRoute
    ) throws {
        for parameter in route.query where parameter.isRequired && values[parameter.name] == nil {
            throw APIProblem(
                .badRequest, "It is missing.", at: "query \(parameter.name)", parameter.meaning)
        }
    }

    private static func body(_ request: Request, _ route: APIRoute) async throws -> APIBody {
        guard let object = route.body else {
            guard request.headers[.transferEncoding] == nil,
                request.headers[.contentLength].map({ $0 == "0" }) ?? true
            else {
                throw APIProblem(
                    .badRequest, "Nothing is read in the body of this request.", at: "body",
                    "Send it without a body.")
            }
            return .none
        }
        let type = request.headers[.contentType]?.split(separator: ";").first?
            .trimmingPrefix { $0 == " " }.lowercased()
        guard type == "application/json" else {
            throw APIProblem(
                .unsupportedMediaType, "The body is taken as JSON.", at: "header Content-Type",
                "Send Content-Type: application/json.")
        }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }),
            length > bodyBytesMax
        {
            throw tooLarge
        }
        let bytes: [UInt8]
        do {
            bytes = Array(buffer: try await request.body.collect(upTo: bodyBytesMax))
        } catch is NIOTooManyBytesError { throw tooLarge } catch let error as any HTTPResponseError
        {
            throw error.status == .contentTooLarge ? tooLarge : APIProblem(error.status, "\(error)")
        }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(
                strictly: bytes, bytesMax: bodyBytesMax, depthMax: bodyDepthMax,
                valuesMax: bodyValuesMax)
        } catch {
            throw APIProblem(
                .badRequest, "The body cannot be read: \(error.text).", at: "body",
                "Send one JSON object in UTF-8, with each member once.")
        }
        do throws(APIFault) { return try APIBody(value, as: object) } catch {
            throw APIProblem(
                .unprocessableContent, "It cannot be taken: \(error.what).", at: error.place,
                "\(prefix)/openapi.json says what it may be.")
        }
    }

    private static let tooLarge = APIProblem(
        .contentTooLarge, "A body here has \(bodyBytesMax) bytes at most.", at: "body")
}
