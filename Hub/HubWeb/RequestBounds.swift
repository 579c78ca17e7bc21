import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Who asks, for the log.
struct WebContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let peer: String

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        peer = source.channel.remoteAddress?.description ?? "unknown"
    }
}

/// Refuses what no page of ours takes, and says every refusal in a line of plain text.
struct RequestBounds: RouterMiddleware {
    let limits: HubWebLimits

    func handle(
        _ request: Request, context: WebContext,
        next: (Request, WebContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            if request.method != .get && request.method != .head {
                response = .plain(.methodNotAllowed, "only GET and HEAD\n")
                response.headers[.allow] = "GET, HEAD"
            } else if request.head.path.map({ $0.utf8.count > limits.pathBytesMax }) ?? true {
                response = .plain(.uriTooLong, "no address here is that long\n")
            } else if request.headers[.transferEncoding] != nil
                || (request.headers[.contentLength].map { $0 != "0" } ?? false)
            {
                response = .plain(.contentTooLarge, "no request here has a body\n")
            } else {
                response = try await next(request, context)
            }
        } catch let error as any HTTPResponseError {
            response = .plain(error.status, "\(error.status.code) \(error.status.reasonPhrase)\n")
        }
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        return response
    }
}

extension Response {
    static func plain(
        _ status: HTTPResponse.Status, _ text: String, type: String = "text/plain; charset=utf-8"
    ) -> Response {
        Response(
            status: status, headers: [.contentType: type],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}
