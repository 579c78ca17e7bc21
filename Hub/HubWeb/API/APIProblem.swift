import HTTPTypes
import HubCore
import HubStore
import Hummingbird
import JSONText
import NIOCore

/// Why a request to the API was refused, as problem details (RFC 9457): what, where, and what to do.
struct APIProblem: Error, Sendable {
    static let mediaType = "application/problem+json"

    var status: HTTPResponse.Status
    /// One sentence.
    var what: String
    /// A part of the request: `query limit`, `body.why`; nil: the request as a whole.
    var place: String?
    /// What whoever sent it can do; nil: nothing that would help.
    var advice: String?
    /// Of 401, 405 and 429.
    var headers: HTTPFields = [:]

    init(
        _ status: HTTPResponse.Status, _ what: String, at place: String? = nil,
        _ advice: String? = nil
    ) {
        self.status = status
        self.what = what
        self.place = place
        self.advice = advice
    }

    /// nil: a fault of this program.
    init?(of error: any Error) {
        switch error {
        case let error as APIProblem: self = error
        case let error as HubStoreError: self.init(error)
        case let error as Refusal: self.init(error.status, error.reason)
        case let error as RepositoryError: self.init(error)
        case let error as any HTTPResponseError:
            self.init(error.status, "\(error.status.reasonPhrase).")
        default: return nil
        }
    }

    private init(_ error: HubStoreError) {
        let what = ReportMarkup.sentence(error.description)
        switch error {
        case .notFound: self.init(.notFound, what)
        case .alreadyExists, .refused: self.init(.conflict, what)
        case .changedMeanwhile:
            self.init(
                .conflict, what, at: nil,
                "Read it again, and send its new revision if you still want to.")
        case .busy:
            self.init(.serviceUnavailable, what, at: nil, "Try again.")
            headers[.retryAfter] = "5"
        case .notInitialised, .alreadyInitialised, .databaseMissing, .diskFull, .corrupt,
            .newerSchema, .constraint, .failed:
            self.init(
                .internalServerError, what, at: nil, "Whoever keeps the hub finds more in its log.")
        }
    }

    private init(_ error: RepositoryError) {
        let what = ReportMarkup.sentence(error.description)
        switch error {
        case .tooManyTargets, .rootDoesNotFollow, .keyUnknown, .keyAmbiguous, .keyThereAlready,
            .thresholdUnmet:
            self.init(.conflict, what)
        case .keysMissing, .unreadable:
            self.init(
                .internalServerError, what, at: nil, "Keys are looked after on the hub's machine.")
        }
    }

    /// The kind of problem, for programs.
    private var kind: String {
        status.reasonPhrase.lowercased().replacing(" ", with: "-")
    }

    func response(to path: String) -> Response {
        let answer = Self.shape.json(
            Answer(
                type: "urn:shelfcast:problem:" + kind, title: status.reasonPhrase,
                status: status.code, detail: what, instance: path, place: place, advice: advice))
        var response = Response(
            status: status, headers: [.contentType: Self.mediaType],
            body: .init(byteBuffer: ByteBuffer(bytes: answer.line)))
        for field in headers { response.headers[field.name] = field.value }
        return response
    }

    struct Answer: Sendable {
        var type: String
        var title: String
        var status: Int
        var detail: String
        var instance: String
        var place: String?
        var advice: String?
    }

    static let shape = Shape<Answer>(
        "Problem", "Why a request was refused: problem details (RFC 9457).",
        [
            .text(
                "type", "The kind of problem, for programs.", "urn:shelfcast:problem:conflict"
            ) { $0.type },
            .text("title", "The kind of problem, for people.", "Conflict") { $0.title },
            .count("status", "The HTTP status.", 409) { $0.status },
            .text("detail", "What is wrong.", "It is paused already.") { $0.detail },
            .text("instance", "The path that was asked.", "/api/v1/rollouts/4/pause") {
                $0.instance
            },
            .textIfAny(
                "where", "The part of the request it is about; null: all of it.", "body.why"
            ) { $0.place },
            .textIfAny("advice", "What to do; null: nothing would help.", "Read it again.") {
                $0.advice
            },
        ])
}
