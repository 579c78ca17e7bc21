import HTTPTypes
import HubCore
import HubStore
import JSONText

/// What is wrong with a form that was sent: it comes again, with what was entered and with this.
struct FormFault: Error, Equatable {
    /// The field it is about; nil: the form as a whole.
    var field: String?
    /// Sentences.
    var text: String
    var status: HTTPResponse.Status

    init(at field: String?, _ text: String, status: HTTPResponse.Status = .unprocessableContent) {
        self.field = field
        self.text = text
        self.status = status
    }

    /// - Returns: nil for what nobody who fills in a form can mend.
    init?(of error: any Error) {
        switch error {
        case let error as FormFault: self = error
        case let error as APIFault:
            self.init(at: Self.field(of: error.place), ReportMarkup.sentence(error.what))
        default:
            guard let problem = APIProblem(of: error),
                problem.status.kind == .clientError || problem.status == .serviceUnavailable
            else { return nil }
            self.init(
                at: problem.place.flatMap(Self.field),
                [problem.what, problem.advice].compactMap { $0 }.joined(separator: " "),
                status: problem.status)
        }
    }

    /// `body.to[2]` is of the field `to`.
    private static func field(of place: String) -> String? {
        guard place.hasPrefix("body.") else { return nil }
        return String(place.dropFirst("body.".count).prefix { $0 != "[" })
    }
}

/// A form as it is shown.
struct FormState {
    /// What was entered before.
    var fields = FormFields()
    var fault: FormFault?
    /// Whether it was sent: a box without a tick is then one that somebody took it from.
    var wasSent = false

    static let new = FormState()

    init() {}

    /// What an address fills in beforehand.
    init(offering fields: FormFields) { self.fields = fields }

    init(sent fields: FormFields, _ fault: FormFault) {
        self.fields = fields
        self.fault = fault
        wasSent = true
    }
}

extension APIBody {
    /// What a form sent, as the API takes it: of each member the field of its name, of a list of words the fields
    /// `name.word` that are ticked, of a list of texts the words in its field.
    /// - Parameters:
    ///   - more: members that the form asks for otherwise.
    ///   - secrets: taken as they were typed, blanks at their ends too.
    /// - Throws: what is wrong with it, and which part it is.
    init(
        form fields: FormFields, as object: APIObject, more: [JSONValue.Member] = [],
        secrets: Set<String> = []
    ) throws(APIFault) {
        let asked = Set(more.map { String(decoding: $0.name, as: UTF8.self) })
        var members = more
        for member in object.members where !asked.contains(member.name) {
            let text =
                secrets.contains(member.name)
                ? fields[member.name] : fields[member.name].map(Self.trimmed)
            let value: JSONValue?
            switch member.schema {
            case .flag: value = .bool(text != nil)
            case .list(.word(let words), _):
                value = .array(
                    words.filter { fields["\(member.name).\($0)"] != nil }.map(JSONValue.string))
            case .list:
                value = text.map { text in
                    .array(
                        text.split { $0.isWhitespace || $0 == "," || $0 == ";" }
                            .map { .string(String($0)) })
                }
            // What is no number is refused as that.
            case .integer: value = text.map { member.schema.value(ofText: $0) ?? .string($0) }
            default: value = text.map(JSONValue.string)
            }
            if let value, value != .string("") { members.append(.init(member.name, value)) }
        }
        try self.init(.object(members), as: object)
    }

    private static func trimmed(_ text: String) -> String {
        var rest = text.drop { $0.isWhitespace }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }
}
