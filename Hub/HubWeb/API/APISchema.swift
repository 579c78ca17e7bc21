import Forecasting
package import JSONText

/// What a value of the API may be. It is written into the OpenAPI document as JSON Schema (draft 2020-12), and what a
/// request brings is held against it: what is documented is what is taken.
indirect enum APISchema: Sendable {
    case text(APIText)
    /// One of these.
    case word([String])
    case integer(ClosedRange<Int64>)
    case number
    case flag
    case list(APISchema, countMax: Int)
    case object(APIObject)
    case nullable(APISchema)

    static let count = APISchema.integer(0...Int64.max)

    /// As a schema; named objects as references.
    var json: JSONValue {
        switch self {
        case .text(let text): return .object([.init("type", .string("string"))] + text.members)
        case .word(let words):
            return .object([
                .init("type", .string("string")),
                .init("enum", .array(words.map(JSONValue.string))),
            ])
        case .integer(let range):
            var members: [JSONValue.Member] = [.init("type", .string("integer"))]
            members.append(.init("minimum", .integer(range.lowerBound)))
            // Beyond 2⁵³ readers round: there is no bound worth the word.
            if range.upperBound <= 1 << 53 {
                members.append(.init("maximum", .integer(range.upperBound)))
            }
            return .object(members)
        case .number: return .object([.init("type", .string("number"))])
        case .flag: return .object([.init("type", .string("boolean"))])
        case .list(let element, let countMax):
            return .object([
                .init("type", .string("array")), .init("items", element.json),
                .init("maxItems", .integer(countMax)),
            ])
        case .object(let object):
            return .object([.init("$ref", .string("#/components/schemas/\(object.name)"))])
        case .nullable(let schema):
            return .object([
                .init("oneOf", .array([schema.json, .object([.init("type", .string("null"))])]))
            ])
        }
    }

    /// The named objects in it, each once and with those in these.
    func collect(into found: inout [String: APIObject]) {
        switch self {
        case .text, .word, .integer, .number, .flag: break
        case .list(let element, _): element.collect(into: &found)
        case .nullable(let schema): schema.collect(into: &found)
        case .object(let object):
            guard found[object.name] == nil else { return }
            found[object.name] = object
            for member in object.members { member.schema.collect(into: &found) }
        }
    }

    /// A value of the kind, for the document.
    var example: JSONValue {
        switch self {
        case .text(let text): .string(text.example)
        case .word(let words): .string(words[0])
        case .integer(let range): .integer(max(1, range.lowerBound))
        case .number: .number([UInt8]("12.5".utf8))
        case .flag: .bool(true)
        case .list(let element, _): .array([element.example])
        case .object(let object): object.example
        case .nullable(let schema): schema.example
        }
    }

    // MARK: What a request brings

    /// - Parameter place: what it is, for whoever sent it.
    /// - Returns: nil: it is one; else what is wrong.
    func fault(of value: JSONValue, at place: String) -> APIFault? {
        func wrong(_ what: String) -> APIFault { APIFault(place: place, what: what) }
        switch (self, value) {
        case (.text(let rule), .text(let bytes)):
            return rule.fault(of: String(decoding: bytes, as: UTF8.self)).map(wrong)
        case (.word(let words), .text(let bytes)):
            return words.contains(String(decoding: bytes, as: UTF8.self))
                ? nil : wrong("it is one of \(words.joined(separator: ", "))")
        case (.integer(let range), .number):
            guard let number = value.wholeNumber, range.contains(number) else {
                return wrong("it is a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return nil
        case (.number, .number), (.flag, .bool): return nil
        case (.list(let element, let countMax), .array(let values)):
            guard values.count <= countMax else {
                return wrong("it has \(countMax) values at most")
            }
            for (index, one) in values.enumerated() {
                if let fault = element.fault(of: one, at: "\(place)[\(index)]") { return fault }
            }
            return nil
        case (.object(let object), .object(let members)):
            for member in members {
                let name = String(decoding: member.name, as: UTF8.self)
                guard let known = object.members.first(where: { $0.name == name }) else {
                    return APIFault(
                        place: "\(place).\(String(name.prefix(64)))",
                        what: "there is no such member; there are "
                            + object.members.map(\.name).joined(separator: ", "))
                }
                if let fault = known.schema.fault(of: member.value, at: "\(place).\(name)") {
                    return fault
                }
            }
            for member in object.members where member.isRequired && value[member.name] == nil {
                return APIFault(place: "\(place).\(member.name)", what: "it is missing")
            }
            return nil
        case (.nullable, .null): return nil
        case (.nullable(let schema), _): return schema.fault(of: value, at: place)
        case (.text, _): return wrong("it is a text")
        case (.word(let words), _): return wrong("it is one of \(words.joined(separator: ", "))")
        case (.integer, _), (.number, _): return wrong("it is a number")
        case (.flag, _): return wrong("it is true or false")
        case (.list, _): return wrong("it is a list")
        case (.object, _): return wrong("it is an object")
        }
    }

    /// A query's text as the value it stands for; nil: it stands for none.
    func value(ofText text: String) -> JSONValue? {
        switch self {
        case .text, .word: .string(text)
        case .integer: Int64(text).map { .integer($0) }
        case .flag: text == "true" ? .bool(true) : text == "false" ? .bool(false) : nil
        case .nullable(let schema): schema.value(ofText: text)
        case .number, .list, .object: nil
        }
    }
}

/// What is wrong with a value, and which it is.
struct APIFault: Error, Equatable, Sendable {
    var place: String
    var what: String
}

/// What a text may be.
struct APIText: Sendable {
    /// In code points, as JSON Schema counts.
    var length = 0...4_096
    /// As JSON Schema takes it (ECMA-262); `isGood` says the same.
    var pattern: String?
    var format: String?
    /// What it is, in words, for whoever sent another one.
    var words: String
    var example: String
    var isGood: @Sendable (String) -> Bool = { _ in true }

    var members: [JSONValue.Member] {
        var members: [JSONValue.Member] = []
        if length.lowerBound > 0 { members.append(.init("minLength", .integer(length.lowerBound))) }
        members.append(.init("maxLength", .integer(length.upperBound)))
        if let pattern { members.append(.init("pattern", .string(pattern))) }
        if let format { members.append(.init("format", .string(format))) }
        return members
    }

    func fault(of text: String) -> String? {
        guard length.contains(text.unicodeScalars.count), isGood(text) else {
            return "it is \(words)"
        }
        return nil
    }
}

extension APIText {
    static func plain(_ length: ClosedRange<Int>, example: String) -> APIText {
        APIText(
            length: length,
            words: "a text of \(length.lowerBound) to \(length.upperBound) characters",
            example: example)
    }

    /// Why something is changed: for the audit log, so something has to be in it.
    static let why = APIText(
        length: 1...500, pattern: "^[^\\u0000-\\u001f]*[^\\u0000-\\u0020][^\\u0000-\\u001f]*$",
        words: "a line of 1 to 500 characters, for whoever reads the audit log",
        example: "complaints from store 12"
    ) { text in
        text.unicodeScalars.contains { $0.value > 0x20 }
            && text.unicodeScalars.allSatisfy { $0.value > 0x1F }
    }

    /// A store, a device, an item.
    static func identifier(_ noun: String, example: String) -> APIText {
        APIText(
            length: 1...32, pattern: "^[!#-&(-+\\--\\[\\]-~]+$",
            words: "the name of \(noun): 1 to 32 printable ASCII characters but blank , \" ' \\",
            example: example
        ) { text in
            do {
                try StoreID.check([UInt8](text.utf8))
                return true
            } catch {
                return false
            }
        }
    }

    static let store = identifier("a store", example: "12")
    static let item = identifier("an item", example: "7")
    static let device = identifier("a device", example: "3f9a21c07b44d2e8")

    static let day = APIText(
        length: 10...10, pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", format: "date",
        words: "a day, as 2025-05-03", example: "2025-05-03"
    ) { BusinessDay(iso8601: Array($0.utf8)) != nil }

    static let moment = APIText(
        length: 20...20, pattern: "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
        format: "date-time", words: "a moment, as 2025-05-03T07:00:00Z",
        example: "2025-05-03T07:00:00Z")

    /// SHA-256 in hexadecimal.
    static let digest = APIText(
        length: 64...64, pattern: "^[0-9a-f]{64}$", words: "64 hexadecimal digits",
        example: String(repeating: "3fa9c01b", count: 8)
    ) { $0.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) } }

    /// Of a user or a destination.
    static func name(_ noun: String, example: String) -> APIText {
        APIText(
            length: 1...64, pattern: "^[A-Za-z0-9._@-]+$",
            words: "the name of \(noun): 1 to 64 letters, digits, '.', '_', '-' and '@'",
            example: example
        ) { text in
            text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                default: [UInt8]("._@-".utf8).contains(byte)
                }
            }
        }
    }

    static let family = name("a family", example: "spring")
}

/// An object of the API: its members, in their order.
struct APIObject: Sendable {
    struct Member: Sendable {
        var name: String
        var schema: APISchema
        /// With its unit, where it has one.
        var meaning: String
        var example: JSONValue
        var isRequired = true

        init(
            _ name: String, _ schema: APISchema, _ meaning: String, example: JSONValue? = nil,
            isRequired: Bool = true
        ) {
            self.name = name
            self.schema = schema
            self.meaning = meaning
            self.example = example ?? schema.example
            self.isRequired = isRequired
        }
    }

    /// Of the component.
    var name: String
    var meaning: String
    var members: [Member]

    var example: JSONValue {
        .object(members.map { JSONValue.Member($0.name, $0.example) })
    }

    /// The component.
    var json: JSONValue {
        let required = members.filter(\.isRequired).map { JSONValue.string($0.name) }
        return .object([
            .init("type", .string("object")), .init("description", .string(meaning)),
            .init(
                "properties",
                .object(
                    members.map { member in
                        var schema: [JSONValue.Member] = []
                        if case .object(let own) = member.schema.json { schema = own }
                        schema.append(.init("description", .string(member.meaning)))
                        schema.append(.init("examples", .array([member.example])))
                        return .init(member.name, .object(schema))
                    })),
            .init("required", .array(required)),
            .init("additionalProperties", .bool(false)),
        ])
    }
}

extension JSONValue {
    /// A number without a fraction; nil: it is none, or has one, or is larger than 2⁶³.
    var wholeNumber: Int64? {
        guard case .number(let digits) = self else { return nil }
        let text = String(decoding: digits, as: UTF8.self)
        if let whole = Int64(text) { return whole }
        // JSON Schema takes 1.0 and 1e2 for whole numbers.
        return Double(text).flatMap { Int64(exactly: $0) }
    }

    var flag: Bool? {
        if case .bool(let value) = self { return value }
        return nil
    }

    var string: String? { utf8.map { String(decoding: $0, as: UTF8.self) } }

    /// What is no finite number is not known.
    package static func number(_ value: Double?) -> JSONValue {
        guard let value, value.isFinite else { return .null }
        return .number([UInt8]("\(value)".utf8))
    }
}
