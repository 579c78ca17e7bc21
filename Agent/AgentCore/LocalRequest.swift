package import Forecasting
package import JSONText

/// What a till or a command may ask of a running agent: one JSON object a line on its Unix socket.
package enum LocalRequest: Equatable, Sendable {
    package static let lineBytesMax = JSONValue.bytesMax
    package static let salesMax = 500
    /// Of this API. A request may name it; one that does not means this.
    package static let version: UInt64 = 1

    /// Sales of one line; one without a day is for today.
    case sales([JSONValue])
    case stock(StockRequest)
    case ordered(OrderRequest)
    case closeDay(BusinessDay?, isClosedAllDay: Bool)
    /// So many days from the first day not closed, nil for the stored forecasts alone.
    case forecast(ItemID?, days: Int?)
    /// Which version is spoken here, and what may be asked.
    case hello
    case status
    /// From now on: what happens, as it happens, on this connection.
    case subscribe
    /// Contact the hub now, and answer when that is over.
    case sync
    /// Run the self-test with these kernel sets.
    case selfTest([KernelSet])
    /// Time forecasts.
    case benchmark

    /// - Throws: what is wrong, for whoever wrote the line.
    package init(line: [UInt8]) throws(LocalRequestError) {
        let value: JSONValue
        do { value = try JSONValue(parsing: line) } catch { throw LocalRequestError(error.text) }
        guard case .object = value else { throw LocalRequestError("not a JSON object") }
        switch value["version"] {
        case nil, .null?: break
        case .number(let digits)? where decimal(digits) == Self.version: break
        default:
            throw LocalRequestError(
                "'version' is not one that this agent speaks: it speaks \(Self.version)")
        }
        guard let verb = value["do"]?.utf8 else {
            throw LocalRequestError(
                "'do' is missing: \(Self.verbs)")
        }
        if verb.elementsEqual("sale".utf8) || verb.elementsEqual("return".utf8) {
            self = .sales([value])
        } else if verb.elementsEqual("sales".utf8) {
            guard case .array(let sales)? = value["sales"] else {
                throw LocalRequestError("'sales' must be a list")
            }
            guard (1...Self.salesMax).contains(sales.count) else {
                throw LocalRequestError(
                    "\(sales.count) sales in one line; 1 to \(Self.salesMax) are taken")
            }
            self = .sales(sales)
        } else if verb.elementsEqual("stock".utf8) {
            self = .stock(try Self.stock(value))
        } else if verb.elementsEqual("ordered".utf8) {
            self = .ordered(try Self.order(value))
        } else if verb.elementsEqual("close-day".utf8) {
            self = .closeDay(
                try Self.day(value["day"]), isClosedAllDay: try Self.flag(value["closed"]))
        } else if verb.elementsEqual("forecast".utf8) {
            self = .forecast(
                try Self.item(value["item"]),
                days: try Self.number(value["days"], "days", in: 1...DayPlan.horizonDaysMax))
        } else if verb.elementsEqual("hello".utf8) {
            self = .hello
        } else if verb.elementsEqual("subscribe".utf8) {
            self = .subscribe
        } else if verb.elementsEqual("status".utf8) {
            self = .status
        } else if verb.elementsEqual("sync".utf8) {
            self = .sync
        } else if verb.elementsEqual("selftest".utf8) {
            self = .selfTest(try Self.kernels(value["kernels"]))
        } else if verb.elementsEqual("benchmark".utf8) {
            self = .benchmark
        } else {
            throw LocalRequestError("'\(printable(verb))' is not something to do: \(Self.verbs)")
        }
    }

    /// Everything that `do` may say.
    package static let operations = [
        "hello", "sale", "sales", "return", "stock", "ordered", "close-day", "forecast", "status",
        "subscribe", "sync", "selftest", "benchmark",
    ]

    private static var verbs: String {
        var text = ""
        for (index, operation) in operations.enumerated() {
            if index > 0 { text += index + 1 < operations.count ? ", " : " or " }
            text += operation
        }
        return text
    }

    /// - Parameter text: the name of a kernel set that this CPU has, "all" for each of those, nil for the best one.
    package static func kernels(named text: [UInt8]?) throws(LocalRequestError) -> [KernelSet] {
        guard let text else { return [.best] }
        let available = KernelSet.available
        if text.elementsEqual("all".utf8) { return available }
        for kernels in available where text.elementsEqual(kernels.name.utf8) { return [kernels] }
        var names = "all"
        for kernels in available { names += ", " + kernels.name }
        throw LocalRequestError(
            "'\(printable(text))' is no kernel set that this CPU has; it has: \(names)")
    }

    private static func kernels(_ value: JSONValue?) throws(LocalRequestError) -> [KernelSet] {
        switch value {
        case nil, .null?: return try kernels(named: nil)
        case .text(let text)?: return try kernels(named: text)
        default: throw LocalRequestError("'kernels' must be a text")
        }
    }

    private static func day(
        _ value: JSONValue?, _ name: String = "day"
    ) throws(LocalRequestError) -> BusinessDay? {
        switch value {
        case nil, .null?: return nil
        case .text(let text)?:
            guard let day = BusinessDay(iso8601: text) else {
                throw LocalRequestError(SaleError.day(text).text)
            }
            return day
        default: throw LocalRequestError("'\(name)' must be a text, YYYY-MM-DD")
        }
    }

    /// - Returns: nil where the member is missing.
    private static func number(
        _ value: JSONValue?, _ name: String, in range: ClosedRange<Int>
    ) throws(LocalRequestError) -> Int? {
        switch value {
        case nil, .null?: return nil
        case .number(let digits)?:
            if let number = decimal(digits).map({ Int(clamping: $0) }), range.contains(number) {
                return number
            }
        default: break
        }
        throw LocalRequestError(
            "'\(name)' must be a whole number from \(range.lowerBound) to \(range.upperBound)")
    }

    private static func stock(_ value: JSONValue) throws(LocalRequestError) -> StockRequest {
        guard let item = try item(value["item"]) else {
            throw LocalRequestError("'item' is missing")
        }
        let request = StockRequest(
            item: item, units: try number(value["units"], "units", in: 0...StockRequest.unitsMax),
            day: try day(value["day"]),
            leadDays: try number(value["leadDays"], "leadDays", in: OrderRule.leadDaysRange),
            servicePercent: try number(
                value["servicePercent"], "servicePercent", in: OrderRule.servicePercentRange),
            multiple: try number(value["multiple"], "multiple", in: OrderRule.multipleRange))
        guard request.units != nil || request.isQuestion else {
            throw LocalRequestError("'units' is missing: how many there are on the shelf")
        }
        return request
    }

    private static func order(_ value: JSONValue) throws(LocalRequestError) -> OrderRequest {
        guard let item = try item(value["item"]) else {
            throw LocalRequestError("'item' is missing")
        }
        guard let units = try number(value["units"], "units", in: 0...StockRequest.unitsMax) else {
            throw LocalRequestError("'units' is missing: how many have been ordered")
        }
        return OrderRequest(item: item, units: units, due: try day(value["due"], "due"))
    }

    private static func flag(_ value: JSONValue?) throws(LocalRequestError) -> Bool {
        switch value {
        case nil, .null?: return false
        case .bool(let flag)?: return flag
        default: throw LocalRequestError("'closed' must be true or false")
        }
    }

    private static func item(_ value: JSONValue?) throws(LocalRequestError) -> ItemID? {
        switch value {
        case nil, .null?: return nil
        case .text(let text)?, .number(let text)?:
            do { return try ItemID(utf8: text) } catch {
                throw LocalRequestError(SaleError.item(error, text: text).text)
            }
        default: throw LocalRequestError("'item' must be a text")
        }
    }
}

/// The stock of an item on the shelf: counted, or asked for where `units` is nil.
package struct StockRequest: Equatable, Sendable {
    package static let unitsMax = 100_000_000

    package var item: ItemID
    package var units: Int?
    /// Nil: today.
    package var day: BusinessDay?
    /// Nil: as before, else the run's default. See `OrderRule`.
    package var leadDays: Int?
    package var servicePercent: Int?
    package var multiple: Int?

    /// Whether nothing is stated at all.
    var isQuestion: Bool {
        units == nil && day == nil && leadDays == nil && servicePercent == nil && multiple == nil
    }
}

/// What has been ordered of an item for a day, all in all; said again it is the same.
package struct OrderRequest: Equatable, Sendable {
    package var item: ItemID
    /// 0: nothing, or nothing any more.
    package var units: Int
    /// When it is on the shelf; nil: the item's lead time after the first day not closed, or after the count if that is later.
    package var due: BusinessDay?
}

/// Why a line is no request.
package struct LocalRequestError: Error, Equatable, Sendable {
    package var text: String

    package init(_ text: String) {
        self.text = text
    }
}
