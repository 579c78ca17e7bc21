import HTTPTypes
import HubCore
import Hummingbird
import JSONText

/// One thing that the API can do: where, for whom, with what, and what it answers. The routes and the OpenAPI document
/// are both made of the same table of these (`APITable`).
struct APIRoute: Sendable {
    /// A part of the query.
    struct Parameter: Sendable {
        var name: String
        var schema: APISchema
        var meaning: String
        var isRequired = false

        init(_ name: String, _ schema: APISchema, _ meaning: String, isRequired: Bool = false) {
            self.name = name
            self.schema = schema
            self.meaning = meaning
            self.isRequired = isRequired
        }
    }

    enum Answer: Sendable {
        case object(APIObject)
        case page(of: APIObject)
        case nothing
        /// Server-sent events, each of which holds one of these.
        case events(APIObject)
        case document
    }

    /// The headings of the document.
    enum Group: String, CaseIterable, Sendable {
        case report = "Report"
        case stores = "Stores"
        case alerts = "Alerts"
        case delivery = "Where alerts are sent"
        case devices = "Devices"
        case rollouts = "Rollouts"
        case models = "Models and packages"
        case autopilot = "Autopilot"
        case hub = "Hub"
    }

    /// What a page of a list takes.
    static let countRange = 1...1_000
    static let countStandard = 100
    static let paging = [
        Parameter(
            "limit", .integer(Int64(countRange.lowerBound)...Int64(countRange.upperBound)),
            "How many at most; \(countStandard) unless said otherwise."),
        Parameter(
            "cursor",
            .text(
                APIText(
                    length: 1...1_024, pattern: "^[A-Za-z0-9_-]+$",
                    words: "the 'next' of the page before", example: "WyIxMiJd")),
            "The page after this one: its 'next'."),
    ]

    var method: HTTPRequest.Method
    /// After `/api/v1`: `/alerts/{alert}`.
    var path: String
    var id: String
    var group: Group
    var summary: String
    var detail: String?
    /// Who may; nil: everybody, without a token.
    var role: UserRole?
    var query: [Parameter]
    var body: APIObject?
    /// What it answers when it has done it; the first is the usual one.
    var statuses: [HTTPResponse.Status]
    var answer: Answer
    /// Whether it may have no place as things stand (409).
    var canConflict: Bool
    /// What it does. What it throws becomes a problem.
    var act: @Sendable (APICall) async throws -> Response

    /// The path's parts; those in braces are parameters.
    var parts: [Substring] { path.split(separator: "/") }

    var parameters: [String] {
        parts.filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    // MARK: Kinds

    /// Something that is looked at.
    static func one<Value>(
        _ path: String, _ id: String, _ group: Group, _ summary: String, _ detail: String? = nil,
        query: [Parameter] = [], shape: Shape<Value>,
        _ read: @escaping @Sendable (APICall) async throws -> Value
    ) -> APIRoute {
        APIRoute(
            method: .get, path: path, id: id, group: group, summary: summary, detail: detail,
            role: .viewer, query: query, body: nil, statuses: [.ok],
            answer: .object(shape.object), canConflict: false
        ) { .json(shape.json(try await read($0))) }
    }

    /// A list, page by page.
    static func list<Value>(
        _ path: String, _ id: String, _ group: Group, _ summary: String, _ detail: String? = nil,
        query: [Parameter] = [], shape: Shape<Value>,
        _ read: @escaping @Sendable (APICall) async throws -> APIPage<Value>
    ) -> APIRoute {
        APIRoute(
            method: .get, path: path, id: id, group: group, summary: summary, detail: detail,
            role: .viewer, query: query + paging, body: nil, statuses: [.ok],
            answer: .page(of: shape.object), canConflict: false
        ) { call in
            let page = try await read(call)
            return .json(
                .object([
                    .init("items", .array(page.items.map(shape.json))),
                    .init("next", page.next.map(JSONValue.string) ?? .null),
                ]))
        }
    }

    /// Something that is changed, by an operator.
    static func change<Value>(
        _ path: String, _ id: String, _ group: Group, _ summary: String, _ detail: String? = nil,
        body: APIObject? = nil, canConflict: Bool = true, shape: Shape<Value>,
        _ act: @escaping @Sendable (APICall) async throws -> Value
    ) -> APIRoute {
        APIRoute(
            method: .post, path: path, id: id, group: group, summary: summary, detail: detail,
            role: .operator, query: [], body: body, statuses: [.ok],
            answer: .object(shape.object), canConflict: canConflict
        ) { .json(shape.json(try await act($0))) }
    }

    /// Something that is made, by an operator.
    /// - Parameter act: makes it, and says where it is then; no address: it was there already, or is not kept.
    static func make<Value>(
        _ path: String, _ id: String, _ group: Group, _ summary: String, _ detail: String? = nil,
        body: APIObject, statuses: [HTTPResponse.Status] = [.created], shape: Shape<Value>,
        _ act: @escaping @Sendable (APICall) async throws -> (value: Value, location: Link?)
    ) -> APIRoute {
        APIRoute(
            method: .post, path: path, id: id, group: group, summary: summary, detail: detail,
            role: .operator, query: [], body: body, statuses: statuses,
            answer: .object(shape.object), canConflict: true
        ) { call in
            let (value, location) = try await act(call)
            var response = Response.json(
                shape.json(value), status: location == nil ? .ok : .created)
            if let location { response.headers[.location] = location.text }
            return response
        }
    }

    /// Something that is taken away, by an operator.
    static func remove(
        _ path: String, _ id: String, _ group: Group, _ summary: String, _ detail: String? = nil,
        _ act: @escaping @Sendable (APICall) async throws -> Void
    ) -> APIRoute {
        APIRoute(
            method: .delete, path: path, id: id, group: group, summary: summary, detail: detail,
            role: .operator, query: [], body: nil, statuses: [.noContent], answer: .nothing,
            canConflict: false
        ) { call in
            try await act(call)
            return Response(status: .noContent)
        }
    }
}

/// A part of a list.
struct APIPage<Item> {
    var items: [Item]
    /// The cursor of the page after it; nil: this is the last.
    var next: String?

    init(_ items: [Item], next: String? = nil) {
        self.items = items
        self.next = next
    }
}

/// By what a list is ordered. A cursor holds the key of the last item of its page: whatever comes and goes meanwhile, no
/// item that stays is left out, and none comes twice.
enum APIKey: Comparable, Sendable {
    /// Ascending.
    case text(String)
    case rising(Int64)
    /// Descending.
    case falling(Int64)

    private var rank: Int {
        switch self {
        case .text: 0
        case .rising: 1
        case .falling: 2
        }
    }

    static func < (a: APIKey, b: APIKey) -> Bool {
        switch (a, b) {
        case (.text(let a), .text(let b)): a.utf8.lexicographicallyPrecedes(b.utf8)
        case (.rising(let a), .rising(let b)): a < b
        case (.falling(let a), .falling(let b)): a > b
        case (.text, _), (.rising, _), (.falling, _): a.rank < b.rank
        }
    }

    private var text: String {
        switch self {
        case .text(let text): "t" + text
        case .rising(let number): "r\(number)"
        case .falling(let number): "f\(number)"
        }
    }

    private init?(text: String) {
        switch text.first {
        case "t": self = .text(String(text.dropFirst()))
        case "r":
            guard let number = Int64(text.dropFirst()) else { return nil }
            self = .rising(number)
        case "f":
            guard let number = Int64(text.dropFirst()) else { return nil }
            self = .falling(number)
        default: return nil
        }
    }

    static func cursor(_ keys: [APIKey]) -> String {
        Base64URL.text(JSONValue.array(keys.map { .string($0.text) }).line)
    }

    /// nil: it is none of ours.
    static func keys(cursor: String) -> [APIKey]? {
        guard let bytes = Base64URL.bytes(cursor),
            // What is no JSON is no cursor.
            case .array(let parts)? = try? JSONValue(
                strictly: bytes, bytesMax: 1_024, depthMax: 2, valuesMax: 8)
        else { return nil }
        let keys = parts.compactMap { $0.string.flatMap(APIKey.init(text:)) }
        return keys.count == parts.count ? keys : nil
    }

    static func isBefore(_ a: [APIKey], _ b: [APIKey]) -> Bool { a.lexicographicallyPrecedes(b) }
}
