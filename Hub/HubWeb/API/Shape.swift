import Forecasting
import HubCore
package import JSONText

/// How something of the hub is said in JSON: its members, each with what it means and how it is read. The schema in the
/// OpenAPI document and the answer come of the same list, so neither can say what the other does not.
package struct Shape<Value>: Sendable {
    package struct Field: Sendable {
        let member: APIObject.Member
        let read: @Sendable (Value) -> JSONValue

        init(
            _ name: String, _ schema: APISchema, _ meaning: String, example: JSONValue? = nil,
            _ read: @escaping @Sendable (Value) -> JSONValue
        ) {
            member = APIObject.Member(name, schema, meaning, example: example)
            self.read = read
        }
    }

    let object: APIObject
    private let fields: [Field]

    /// - Parameters:
    ///   - name: of the component in the document.
    ///   - fields: in their order in the answer.
    init(_ name: String, _ meaning: String, _ fields: [Field]) {
        object = APIObject(name: name, meaning: meaning, members: fields.map(\.member))
        self.fields = fields
    }

    package func json(_ value: Value) -> JSONValue {
        .object(fields.map { JSONValue.Member($0.member.name, $0.read(value)) })
    }

    /// The same members, and more.
    func with(_ name: String, _ meaning: String, _ more: [Field]) -> Shape {
        Shape(name, meaning, fields + more)
    }

    /// These members of something that holds a `Value`.
    func lifted<Whole>(
        _ part: @escaping @Sendable (Whole) -> Value
    ) -> [Shape<Whole>.Field] {
        fields.map { field in
            Shape<Whole>.Field(
                field.member.name, field.member.schema, field.member.meaning,
                example: field.member.example
            ) { field.read(part($0)) }
        }
    }
}

// MARK: Kinds of members

extension Shape.Field {
    static func text(
        _ name: String, _ meaning: String, _ example: String,
        _ read: @escaping @Sendable (Value) -> String
    ) -> Self {
        .init(name, .text(.plain(0...65_536, example: example)), meaning) { .string(read($0)) }
    }

    static func textIfAny(
        _ name: String, _ meaning: String, _ example: String,
        _ read: @escaping @Sendable (Value) -> String?
    ) -> Self {
        .init(name, .nullable(.text(.plain(0...65_536, example: example))), meaning) {
            read($0).map(JSONValue.string) ?? .null
        }
    }

    static func texts(
        _ name: String, _ meaning: String, _ example: [String],
        _ read: @escaping @Sendable (Value) -> [String]
    ) -> Self {
        .init(
            name, .list(.text(.plain(0...65_536, example: "")), countMax: 10_000), meaning,
            example: .array(example.map(JSONValue.string))
        ) { .array(read($0).map(JSONValue.string)) }
    }

    static func word(
        _ name: String, _ meaning: String, _ words: [String],
        _ read: @escaping @Sendable (Value) -> String
    ) -> Self {
        .init(name, .word(words), meaning) { .string(read($0)) }
    }

    static func wordIfAny(
        _ name: String, _ meaning: String, _ words: [String],
        _ read: @escaping @Sendable (Value) -> String?
    ) -> Self {
        .init(name, .nullable(.word(words)), meaning) {
            read($0).map(JSONValue.string) ?? .null
        }
    }

    static func store(
        _ meaning: String = "The store.", _ read: @escaping @Sendable (Value) -> StoreID
    ) -> Self {
        .init("store", .text(.store), meaning) { .string(read($0).text) }
    }

    static func device(
        _ meaning: String = "The device.", _ read: @escaping @Sendable (Value) -> DeviceID
    ) -> Self {
        .init("device", .text(.device), meaning) { .string(read($0).text) }
    }

    static func count<Number: BinaryInteger & SendableMetatype>(
        _ name: String, _ meaning: String, _ example: Int = 12,
        _ read: @escaping @Sendable (Value) -> Number
    ) -> Self {
        .init(name, .count, meaning, example: .integer(example)) { .whole(read($0)) }
    }

    static func countIfAny<Number: BinaryInteger & SendableMetatype>(
        _ name: String, _ meaning: String, _ example: Int = 12,
        _ read: @escaping @Sendable (Value) -> Number?
    ) -> Self {
        .init(name, .nullable(.count), meaning, example: .integer(example)) {
            read($0).map { .whole($0) } ?? .null
        }
    }

    /// A whole number that may be below 0.
    static func wholeIfAny(
        _ name: String, _ meaning: String, _ example: Int,
        _ read: @escaping @Sendable (Value) -> Int?
    ) -> Self {
        .init(
            name, .nullable(.integer(Int64.min...Int64.max)), meaning, example: .integer(example)
        ) { read($0).map { .whole($0) } ?? .null }
    }

    static func number(
        _ name: String, _ meaning: String, _ example: Double = 12.63,
        _ read: @escaping @Sendable (Value) -> Double
    ) -> Self {
        .init(name, .number, meaning, example: .number(example)) { .number(read($0)) }
    }

    static func numberIfAny(
        _ name: String, _ meaning: String, _ example: Double = 12.63,
        _ read: @escaping @Sendable (Value) -> Double?
    ) -> Self {
        .init(name, .nullable(.number), meaning, example: .number(example)) { .number(read($0)) }
    }

    static func flag(
        _ name: String, _ meaning: String, _ read: @escaping @Sendable (Value) -> Bool
    ) -> Self {
        .init(name, .flag, meaning) { .bool(read($0)) }
    }

    static func flagIfAny(
        _ name: String, _ meaning: String, _ read: @escaping @Sendable (Value) -> Bool?
    ) -> Self {
        .init(name, .nullable(.flag), meaning) { read($0).map(JSONValue.bool) ?? .null }
    }

    static func moment(
        _ name: String, _ meaning: String, _ read: @escaping @Sendable (Value) -> Timestamp
    ) -> Self {
        .init(name, .text(.moment), meaning) { .string(PageText.iso8601(read($0))) }
    }

    static func momentIfAny(
        _ name: String, _ meaning: String, _ read: @escaping @Sendable (Value) -> Timestamp?
    ) -> Self {
        .init(name, .nullable(.text(.moment)), meaning) {
            read($0).map { .string(PageText.iso8601($0)) } ?? .null
        }
    }

    static func day(
        _ name: String, _ meaning: String, _ read: @escaping @Sendable (Value) -> BusinessDay
    ) -> Self {
        .init(name, .text(.day), meaning) { .string(read($0).iso8601) }
    }

    static func dayIfAny(
        _ name: String, _ meaning: String, _ read: @escaping @Sendable (Value) -> BusinessDay?
    ) -> Self {
        .init(name, .nullable(.text(.day)), meaning) {
            read($0).map { .string($0.iso8601) } ?? .null
        }
    }

    static func digest(
        _ name: String, _ meaning: String, _ read: @escaping @Sendable (Value) -> [UInt8]
    ) -> Self {
        .init(name, .text(.digest), meaning) {
            .string(DeviceMeasurement.text(digest: read($0)))
        }
    }

    static func digestIfAny(
        _ name: String, _ meaning: String, _ read: @escaping @Sendable (Value) -> [UInt8]?
    ) -> Self {
        .init(name, .nullable(.text(.digest)), meaning) {
            read($0).map { .string(DeviceMeasurement.text(digest: $0)) } ?? .null
        }
    }

    static func shape<Inner>(
        _ name: String, _ meaning: String, _ shape: Shape<Inner>,
        _ read: @escaping @Sendable (Value) -> Inner
    ) -> Self {
        .init(name, .object(shape.object), meaning) { shape.json(read($0)) }
    }

    static func shapeIfAny<Inner>(
        _ name: String, _ meaning: String, _ shape: Shape<Inner>,
        _ read: @escaping @Sendable (Value) -> Inner?
    ) -> Self {
        .init(name, .nullable(.object(shape.object)), meaning) {
            read($0).map(shape.json) ?? .null
        }
    }

    static func shapes<Inner>(
        _ name: String, _ meaning: String, _ shape: Shape<Inner>, countMax: Int = 100_000,
        _ read: @escaping @Sendable (Value) -> [Inner]
    ) -> Self {
        .init(name, .list(.object(shape.object), countMax: countMax), meaning) {
            .array(read($0).map(shape.json))
        }
    }
}

extension JSONValue {
    static func whole(_ value: some BinaryInteger) -> JSONValue {
        .number([UInt8](String(value).utf8))
    }
}

/// As the commands print it: with keys in order, over several lines.
extension JSONValue: Encodable {
    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .null, .bool, .number, .text:
            var container = encoder.singleValueContainer()
            switch self {
            case .bool(let value): try container.encode(value)
            case .text(let bytes):
                try container.encode(String(decoding: bytes, as: UTF8.self))
            case .number(let digits):
                let text = String(decoding: digits, as: UTF8.self)
                if let whole = Int64(text) {
                    try container.encode(whole)
                } else if let whole = UInt64(text) {
                    try container.encode(whole)
                } else {
                    try container.encode(Double(text) ?? 0)
                }
            case .null, .array, .object: try container.encodeNil()
            }
        case .array(let values):
            var container = encoder.unkeyedContainer()
            for value in values { try container.encode(value) }
        case .object(let members):
            var container = encoder.container(keyedBy: Name.self)
            for member in members {
                try container.encode(
                    member.value,
                    forKey: Name(stringValue: String(decoding: member.name, as: UTF8.self)))
            }
        }
    }
}
