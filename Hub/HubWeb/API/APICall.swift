import Forecasting
import FoundationEssentials
import HTTPTypes
package import HubCore
import HubStore
import Hummingbird
import HummingbirdCore
import JSONText
import NIOCore

/// What the API needs beside the store.
struct APIHub: Sendable {
    let store: any HubStore
    let clock: PageClock
    let voucher: PackageVoucher
    let streams: LiveStreams
}

/// Makes the hub's repository vouch for a release that is about to be pushed, so that devices may take it.
package struct PackageVoucher: Sendable {
    package var vouch:
        @Sendable (_ family: String, _ release: UInt64, _ at: Timestamp) async throws -> Void

    package init(
        _ vouch:
            @escaping @Sendable (_ family: String, _ release: UInt64, _ at: Timestamp) async throws
            -> Void
    ) { self.vouch = vouch }
}

/// One request to the API, after everything about it was checked that the table says.
struct APICall: Sendable {
    let hub: APIHub
    let request: Request
    /// nil where the route is open to everybody.
    let user: UserRecord?
    /// SHA-256 of the token that was shown.
    let tokenSHA256: [UInt8]
    /// Of the path, decoded.
    let path: [String: String]
    let query: [String: JSONValue]
    let body: APIBody
    let now: Timestamp

    /// What is changed through it has the user's name in the audit log.
    var store: any HubStore { hub.store.acting(as: "user:" + (user?.name ?? "nobody")) }

    // MARK: The path

    func part(_ name: String) -> String { path[name] ?? "" }

    /// - Throws: `APIProblem` for what is no identifier: nothing has that name.
    func identifier<Kind>(_ name: String) throws -> Identifier<Kind> {
        do { return try Identifier(part(name)) } catch { throw Self.nothing(name, part(name)) }
    }

    /// A number above 0 that the store counts something by.
    func number(_ name: String) throws -> Int64 {
        let text = part(name)
        guard let number = Int64(text), number > 0, "\(number)" == text else {
            throw Self.nothing(name, text)
        }
        return number
    }

    static func nothing(_ noun: String, _ name: String) -> APIProblem {
        APIProblem(
            .notFound, "There is no \(noun) '\(name.prefix(80))'.", at: "path \(noun)",
            "The list of them says which there are.")
    }

    // MARK: The query

    func text(_ name: String) -> String? { query[name]?.string }
    func flag(_ name: String) -> Bool { query[name]?.flag ?? false }
    func word<Word: RawRepresentable<String>>(_ name: String) -> Word? {
        text(name).flatMap { Word(rawValue: $0) }
    }
    func day(_ name: String) -> BusinessDay? {
        text(name).flatMap { BusinessDay(iso8601: Array($0.utf8)) }
    }
    func wanted<Kind>(_ name: String) throws -> Identifier<Kind>? {
        try text(name).map { text in
            do { return try Identifier(text) } catch {
                throw APIProblem(.badRequest, "It is no name: \(error).", at: "query \(name)")
            }
        }
    }

    /// - Throws: `APIProblem` for days that are the wrong way round.
    var days: (first: BusinessDay?, last: BusinessDay?) {
        get throws {
            let (first, last) = (day("from"), day("to"))
            if let first, let last, first > last {
                throw APIProblem(
                    .badRequest, "The first of these days is after the last.", at: "query from",
                    "Send the earlier day as from, the later as to.")
            }
            return (first, last)
        }
    }

    var limit: Int { query["limit"]?.wholeNumber.map { Int($0) } ?? APIRoute.countStandard }

    /// Where the page begins; nil: at the beginning.
    var after: [APIKey]? {
        get throws {
            guard let text = text("cursor") else { return nil }
            guard let keys = APIKey.keys(cursor: text) else { throw Self.badCursor }
            return keys
        }
    }

    static let badCursor = APIProblem(
        .badRequest, "It is no cursor of this list.", at: "query cursor",
        "Send the 'next' of the page before as it came, or no cursor for the first page.")

    /// The page of a list that is all there.
    /// - Parameter key: differs from item to item, and is of the same kinds for all.
    func page<Item>(
        _ items: [Item], by key: (Item) -> [APIKey]
    ) throws -> APIPage<Item> {
        var keyed = items.map { (item: $0, key: key($0)) }.sorted {
            APIKey.isBefore($0.key, $1.key)
        }
        if let after = try after {
            keyed = keyed.filter { APIKey.isBefore(after, $0.key) }
        }
        let shown = keyed.prefix(limit)
        return APIPage(
            shown.map(\.item),
            next: keyed.count > shown.count ? shown.last.map { APIKey.cursor($0.key) } : nil)
    }

    /// The page of a list that the store gives newest first.
    /// - Parameter read: those with a number below the first (nil: all), at most so many.
    func newest<Item>(
        _ id: (Item) -> Int64, _ read: (_ before: Int64?, _ countMax: Int) async throws -> [Item]
    ) async throws -> APIPage<Item> {
        var before: Int64?
        if let after = try after {
            guard after.count == 1, case .falling(let number) = after[0] else {
                throw Self.badCursor
            }
            before = number
        }
        let found = try await read(before, limit + 1)
        let shown = Array(found.prefix(limit))
        return APIPage(
            shown,
            next: found.count > shown.count
                ? shown.last.map { APIKey.cursor([.falling(id($0))]) } : nil)
    }
}

extension Response {
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: value.line)))
    }
}

/// RFC 4648, section 5, without padding.
enum Base64URL {
    static func text(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            .replacing("=", with: "")
    }

    static func bytes(_ text: String) -> [UInt8]? {
        let plain = text.replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4)
        return Data(base64Encoded: plain + padding).map { Array($0) }
    }
}
