import Forecasting
import HTTPTypes
import HubCore
import JSONText

/// What somebody sent to have something changed, after everything about it was checked that its schema says: the JSON of a
/// request to the API, or a form of the pages made into the same.
struct APIBody: Sendable {
    /// Of a request that has none.
    static let none = APIBody(value: .null)

    private let value: JSONValue

    private init(value: JSONValue) { self.value = value }

    /// - Throws: what is wrong with it, and which part it is.
    init(_ value: JSONValue, as object: APIObject) throws(APIFault) {
        if let fault = APISchema.object(object).fault(of: value, at: "body") { throw fault }
        self.value = value
    }

    func has(_ name: String) -> Bool { value[name] != nil }
    func text(_ name: String) -> String? { value[name]?.string }
    func number(_ name: String) -> Int64? { value[name]?.wholeNumber }
    func flag(_ name: String) -> Bool? { value[name]?.flag }
    func texts(_ name: String) -> [String]? {
        guard case .array(let values)? = value[name] else { return nil }
        return values.compactMap(\.string)
    }
    func identifier<Kind>(_ name: String) throws -> Identifier<Kind>? {
        try text(name).map { text in
            do { return try Identifier(text) } catch {
                throw Self.unfit("It is no name: \(error).", at: name)
            }
        }
    }

    /// What can be read and does not make sense.
    /// - Parameter member: what it is about; nil: all of it.
    static func unfit(_ what: String, at member: String?, _ advice: String? = nil) -> APIProblem {
        APIProblem(
            .unprocessableContent, what, at: "body" + (member.map { ".\($0)" } ?? ""), advice)
    }
}
