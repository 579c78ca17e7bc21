import HTTPTypes
import HubCore
import JSONText

/// The OpenAPI 3.1 document of the API, made of the table that answers it.
enum OpenAPIDocument {
    /// On one line; made once.
    static let bytes: [UInt8] = json.line

    static var json: JSONValue {
        .object([
            .init("openapi", .string("3.1.0")), .init("info", info),
            .init("servers", .array([.object([.init("url", .string("/"))])])),
            .init(
                "tags",
                .array(
                    APIRoute.Group.allCases.map {
                        .object([.init("name", .string($0.rawValue))])
                    })),
            .init("paths", paths), .init("components", components),
            .init("security", .array([.object([.init("token", .array([]))])])),
        ])
    }

    private static let info = JSONValue.object([
        .init("title", .string("Shelfcast")),
        .init("version", .string("1")),
        .init(
            "description",
            .string(
                """
                Everything that the hub's pages show or do. A request shows the token of a user: 'shelfcast-hub user token \
                create NAME' makes one. A viewer's may look, an operator's may also change. There are no cookies here. \
                Refusals are problem details (RFC 9457). A figure that is not known is null: no data is not no error. \
                Lists come in pages, each of which names the next.
                """)),
    ])

    // MARK: Paths

    private static var paths: JSONValue {
        var order: [String] = []
        var operations: [String: [JSONValue.Member]] = [:]
        for route in APITable.routes {
            if operations[route.path] == nil { order.append(route.path) }
            operations[route.path, default: []].append(
                .init(route.method.rawValue.lowercased(), operation(route)))
        }
        return .object(
            order.map { path in
                .init(APIDoor.prefix + path, .object(operations[path] ?? []))
            })
    }

    private static func operation(_ route: APIRoute) -> JSONValue {
        var members: [JSONValue.Member] = [
            .init("operationId", .string(route.id)),
            .init("tags", .array([.string(route.group.rawValue)])),
            .init("summary", .string(route.summary)),
        ]
        let who =
            switch route.role {
            case nil: "Open to everybody, without a token."
            case .viewer: nil as String?
            case .operator: "An operator's to do."
            }
        let detail = [route.detail, who].compactMap { $0 }.joined(separator: " ")
        if !detail.isEmpty { members.append(.init("description", .string(detail))) }
        let parameters =
            route.parameters.map { name in
                parameter(
                    name, in: "path", APITable.pathParameters[name], isRequired: true)
            }
            + route.query.map { one in
                parameter(
                    one.name, in: "query", (one.schema, one.meaning), isRequired: one.isRequired)
            }
        if !parameters.isEmpty { members.append(.init("parameters", .array(parameters))) }
        if let body = route.body {
            members.append(
                .init(
                    "requestBody",
                    .object([
                        .init("required", .bool(true)),
                        .init(
                            "content",
                            content("application/json", .object(body), example: body.example)),
                    ])))
        }
        members.append(.init("responses", responses(route)))
        if route.role == nil { members.append(.init("security", .array([]))) }
        return .object(members)
    }

    private static func parameter(
        _ name: String, in place: String, _ known: (schema: APISchema, meaning: String)?,
        isRequired: Bool
    ) -> JSONValue {
        precondition(known != nil, "the path parameter \(name) is not in APITable.pathParameters")
        return .object([
            .init("name", .string(name)), .init("in", .string(place)),
            .init("description", .string(known?.meaning ?? "")),
            .init("required", .bool(isRequired)), .init("schema", known?.schema.json ?? .null),
        ])
    }

    private static func content(
        _ type: String, _ schema: APISchema, example: JSONValue
    ) -> JSONValue {
        .object([
            .init(type, .object([.init("schema", schema.json), .init("example", example)]))
        ])
    }

    private static func responses(_ route: APIRoute) -> JSONValue {
        var members: [JSONValue.Member] = route.statuses.map { status in
            var answer: [JSONValue.Member] = [.init("description", .string(meaning(status, route)))]
            switch route.answer {
            case .object(let object):
                answer.append(
                    .init(
                        "content",
                        content("application/json", .object(object), example: object.example)))
            case .page(let object):
                answer.append(
                    .init(
                        "content",
                        content(
                            "application/json", .object(page(of: object)),
                            example: page(of: object).example)))
            case .events(let object):
                answer.append(
                    .init(
                        "content",
                        .object([
                            .init(
                                "text/event-stream",
                                .object([
                                    .init(
                                        "schema",
                                        .object([
                                            .init("type", .string("string")),
                                            .init(
                                                "description",
                                                .string(
                                                    "Server-sent events named state; the data of each is one \(object.name)."
                                                )),
                                        ]))
                                ]))
                        ])))
            case .document:
                answer.append(
                    .init(
                        "content",
                        .object([
                            .init(
                                "application/json",
                                .object([
                                    .init("schema", .object([.init("type", .string("object"))]))
                                ]))
                        ])))
            case .nothing: break
            }
            if status == .created {
                answer.append(
                    .init(
                        "headers",
                        header("Location", "Where it is.", example: APIDoor.prefix + "/silences/3"))
                )
            }
            return .init("\(status.code)", .object(answer))
        }
        for status in refusals(of: route) {
            members.append(
                .init(
                    "\(status.code)",
                    .object([
                        .init("$ref", .string("#/components/responses/\(name(of: status))"))
                    ])))
        }
        return .object(members)
    }

    private static func meaning(_ status: HTTPResponse.Status, _ route: APIRoute) -> String {
        switch status {
        case .created: "It was made."
        case .accepted: "It will be done."
        case .noContent: "It is gone."
        default:
            route.statuses.count > 1 ? "It was there already, or nothing was kept." : "As asked."
        }
    }

    /// Every way in which a route refuses.
    static func refusals(of route: APIRoute) -> [HTTPResponse.Status] {
        var found: [HTTPResponse.Status] = [.badRequest]
        if route.role != nil { found += [.unauthorized, .tooManyRequests] }
        if route.role == .operator { found.append(.forbidden) }
        found.append(.notFound)
        if route.body != nil {
            found += [.contentTooLarge, .unsupportedMediaType, .unprocessableContent]
        }
        if route.canConflict { found.append(.conflict) }
        found += [.uriTooLong, .internalServerError, .serviceUnavailable]
        return found.sorted { $0.code < $1.code }
    }

    static func page(of object: APIObject) -> APIObject {
        APIObject(
            name: object.name + "Page", meaning: "A page of a list.",
            members: [
                .init(
                    "items", .list(.object(object), countMax: APIRoute.countRange.upperBound),
                    "In the list's order."),
                .init(
                    "next", .nullable(.text(.plain(1...1_024, example: "WyJ0MTIiXQ"))),
                    "The cursor of the next page; null: this is the last."),
            ])
    }

    // MARK: Components

    /// Every named object of the document, by name.
    static var objects: [String: APIObject] {
        var found: [String: APIObject] = [:]
        for route in APITable.routes {
            switch route.answer {
            case .object(let object), .events(let object):
                APISchema.object(object).collect(into: &found)
            case .page(let object): APISchema.object(page(of: object)).collect(into: &found)
            case .nothing, .document: break
            }
            if let body = route.body { APISchema.object(body).collect(into: &found) }
        }
        APISchema.object(APIProblem.shape.object).collect(into: &found)
        return found
    }

    private static var components: JSONValue {
        let statuses = Set(APITable.routes.flatMap(refusals)).sorted { $0.code < $1.code }
        return .object([
            .init(
                "schemas",
                .object(
                    objects.sorted { $0.key < $1.key }.map { .init($0.key, $0.value.json) })),
            .init("responses", .object(statuses.map { .init(name(of: $0), refusal($0)) })),
            .init(
                "securitySchemes",
                .object([
                    .init(
                        "token",
                        .object([
                            .init("type", .string("http")), .init("scheme", .string("bearer")),
                            .init("bearerFormat", .string("shelfcast-api.…")),
                            .init(
                                "description",
                                .string(
                                    "Of a user, made by 'shelfcast-hub user token create NAME' and shown once."
                                )),
                        ]))
                ])),
        ])
    }

    private static func refusal(_ status: HTTPResponse.Status) -> JSONValue {
        let meaning =
            switch status {
            case .badRequest: "The query or the body cannot be read."
            case .unauthorized: "There is no token, or it is nobody's."
            case .forbidden: "The user may not do this."
            case .notFound: "There is nothing of that name."
            case .conflict: "It has no place as things stand; nothing was changed."
            case .contentTooLarge: "The body has more than \(APIDoor.bodyBytesMax) bytes."
            case .uriTooLong: "The address is too long."
            case .unsupportedMediaType: "The body is not JSON."
            case .unprocessableContent: "The body does not make sense; nothing was changed."
            case .tooManyRequests: "Too many wrong tokens came from this address."
            case .serviceUnavailable: "The hub is busy: try again."
            default: "The hub failed."
            }
        var members: [JSONValue.Member] = [
            .init("description", .string(meaning)),
            .init(
                "content",
                .object([
                    .init(
                        APIProblem.mediaType,
                        .object([
                            .init("schema", APISchema.object(APIProblem.shape.object).json)
                        ]))
                ])),
        ]
        if status == .unauthorized {
            members.append(
                .init(
                    "headers",
                    header(
                        "WWW-Authenticate", "What is needed.",
                        example: "Bearer realm=\"shelfcast\"")))
        }
        if status == .tooManyRequests {
            members.append(
                .init("headers", header("Retry-After", "In so many seconds.", example: "6")))
        }
        return .object(members)
    }

    private static func header(
        _ name: String, _ meaning: String, example: String
    ) -> JSONValue {
        .object([
            .init(
                name,
                .object([
                    .init("description", .string(meaning)),
                    .init("schema", .object([.init("type", .string("string"))])),
                    .init("example", .string(example)),
                ]))
        ])
    }

    private static func name(of status: HTTPResponse.Status) -> String {
        status.reasonPhrase.split(separator: " ").joined()
    }
}
