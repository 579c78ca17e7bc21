package import Forecasting

/// Which devices are meant: `store=1,2 shelf=cold;kind=scanner`, `arch=aarch64 memory>=64MiB`.
///
/// Clauses are separated by spaces or `;`, and all of them must hold. A clause is
/// `key=value[,value...]` and holds when the device has one of the values. `store` and `device` are
/// the device's own store and id, the keys of `Capability` what it says it can do; any other key is a label.
/// Where a capability is an amount or a version, `<`, `<=`, `>` and `>=` compare it with one value.
/// What a device has not said satisfies no clause. No clause at all (`all`) selects every device.
package struct Selector: Hashable, Sendable {
    package static let reservedKeys = Set(
        ["store", "device"] + Capability.allCases.map(\.rawValue))
    package static let textBytesMax = 4096

    /// What a device said of itself when it last registered, as a selector's key.
    package enum Capability: String, CaseIterable, Sendable {
        /// Texts.
        case arch, cpu, feature, power, contact
        /// Amounts: a count, bytes (`64MiB`), bytes, bytes, percent, degrees Celsius.
        case cores, memory, flash, budget, battery, temperature
        /// The agent's: `0.2.0`.
        case version

        /// Whether it moves by itself from one hour to the next.
        package var isPassing: Bool { self == .battery || self == .temperature || self == .flash }
    }

    package enum Comparison: String, CaseIterable, Hashable, Sendable {
        // The longer ones first: a reader takes the first that fits.
        case atMost = "<="
        case atLeast = ">="
        case less = "<"
        case more = ">"
        case equal = "="
    }

    package struct Clause: Hashable, Sendable {
        package let key: String
        package let comparison: Comparison
        package let values: [String]
    }

    package let clauses: [Clause]

    package static let all = Selector(clauses: [])

    private init(clauses: [Clause]) { self.clauses = clauses }

    /// Reads the text form. The word `all` alone selects everything; an empty text is refused, so
    /// that a forgotten shell variable never reaches the whole fleet.
    package init(_ text: String) throws(SelectorError) {
        try self.init(text, isStored: false)
    }

    /// Reads a rollout's selector back. What was written before a key became a capability may compare it with what it
    /// never is: that selects nothing.
    package init(stored text: String) throws(SelectorError) {
        try self.init(text, isStored: true)
    }

    private init(_ text: String, isStored: Bool) throws(SelectorError) {
        guard text.utf8.count <= Self.textBytesMax else {
            throw .tooLong(bytes: text.utf8.count, bytesMax: Self.textBytesMax)
        }
        let words = text.split { $0 == " " || $0 == ";" || $0 == "\t" }
        guard !words.isEmpty else { throw .empty }
        if words == ["all"] {
            self = .all
            return
        }
        var clauses: [Clause] = []
        for word in words {
            let clause = try Self.clause(word, isStored: isStored)
            let isTwice = clauses.contains {
                $0.key == clause.key && $0.comparison == clause.comparison
            }
            guard !isTwice else { throw .keyTwice(clause.key) }
            clauses.append(clause)
        }
        self.init(clauses: clauses)
    }

    private static func clause(
        _ word: Substring, isStored: Bool
    ) throws(SelectorError) -> Clause {
        guard let at = word.firstIndex(where: { "<>=".contains($0) }),
            let comparison = Comparison.allCases.first(where: {
                word[at...].hasPrefix($0.rawValue)
            })
        else { throw .clause(String(word)) }
        let key = String(word[..<at])
        let values = word[at...].dropFirst(comparison.rawValue.count)
            .split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard DeviceLabel.isPart(key), values.allSatisfy({ isValue($0, key: key) }) else {
            throw .clause(String(word))
        }
        if !isStored, let capability = Capability(rawValue: key) {
            for value in values where !capability.takes(value) {
                throw .value(key: key, value: value, wanted: capability.wanted)
            }
        }
        guard comparison == .equal || Capability(rawValue: key)?.isOrdered == true else {
            throw .notOrdered(key)
        }
        guard comparison == .equal || values.count == 1 else { throw .clause(String(word)) }
        return Clause(key: key, comparison: comparison, values: values)
    }

    package var text: String {
        clauses.isEmpty
            ? "all"
            : clauses.map {
                "\($0.key)\($0.comparison.rawValue)\($0.values.joined(separator: ","))"
            }.joined(separator: " ")
    }

    /// Keys of what moves by itself: a rollout that selected by them would take its package back.
    package var passingKeys: [String] {
        clauses.map(\.key).filter { Capability(rawValue: $0)?.isPassing == true }
    }

    package func matches(
        store: StoreID, device: DeviceID, labels: some Sequence<DeviceLabel>,
        capabilities: DeviceCapabilities? = nil
    ) -> Bool {
        clauses.allSatisfy { clause in
            switch clause.key {
            case "store": return clause.values.contains(store.text)
            case "device": return clause.values.contains(device.text)
            default:
                if let capability = Capability(rawValue: clause.key) {
                    guard let capabilities else { return false }
                    return clause.values.contains {
                        capability.holds(clause.comparison, $0, of: capabilities)
                    }
                }
                return labels.contains {
                    $0.key == clause.key && clause.values.contains($0.value)
                }
            }
        }
    }

    /// The device as the hub knows it: the operator's labels go before the device's own.
    package func matches(_ device: DeviceRecord) -> Bool {
        matches(
            store: device.store, device: device.id, labels: device.effectiveLabels,
            capabilities: device.capabilities)
    }

    private static func isValue(_ value: String, key: String) -> Bool {
        // Store and device ids may hold characters that labels may not.
        key == "store" || key == "device"
            ? (1...32).contains(value.utf8.count) : DeviceLabel.isPart(value)
    }
}

extension Selector.Capability {
    var isOrdered: Bool {
        switch self {
        case .arch, .cpu, .feature, .power, .contact: false
        case .cores, .memory, .flash, .budget, .battery, .temperature, .version: true
        }
    }

    /// What a value of it is, for an error.
    var wanted: String {
        switch self {
        case .arch, .cpu, .feature: "a name"
        case .power: "mains, battery or unknown"
        case .contact: "stay or visit"
        case .cores, .battery, .temperature: "a whole number"
        case .memory, .flash, .budget: "bytes, like 20480, 20KiB, 64MiB or 1GiB"
        case .version: "a version, like 0.2.0"
        }
    }

    func takes(_ value: String) -> Bool {
        switch self {
        case .arch, .cpu, .feature: true
        case .power: DeviceCapabilities.PowerSource(rawValue: value) != nil
        case .contact: value == "stay" || value == "visit"
        case .cores, .battery, .temperature: Int(value) != nil
        case .memory, .flash, .budget: Self.bytes(value) != nil
        case .version: Self.version(value) != nil
        }
    }

    /// - Parameter value: what `takes` refuses never holds.
    func holds(
        _ comparison: Selector.Comparison, _ value: String, of can: DeviceCapabilities
    ) -> Bool {
        func compare<Value: Comparable>(_ own: Value?, _ wanted: Value?) -> Bool {
            guard let own, let wanted else { return false }
            switch comparison {
            case .atMost: return own <= wanted
            case .atLeast: return own >= wanted
            case .less: return own < wanted
            case .more: return own > wanted
            case .equal: return own == wanted
            }
        }
        switch self {
        case .arch: return can.architecture == value
        case .cpu: return can.cpuFeatures.contains(value)
        case .feature: return can.runtimeFeatures.contains(value)
        case .power: return can.powerSource.rawValue == value
        case .contact: return can.contact.rawValue == value
        case .cores: return compare(can.cores, Int(value))
        case .memory: return compare(can.memoryTotalBytes, Self.bytes(value))
        case .flash: return compare(can.flashFreeBytes, Self.bytes(value))
        case .budget: return compare(can.modelMemoryBudgetBytes, Self.bytes(value))
        case .battery: return compare(can.batteryPercent, Int(value))
        case .temperature: return compare(can.temperatureCelsius, Int(value))
        case .version:
            // Compared as one number each, most significant part first.
            return compare(Self.version(can.agentVersion), Self.version(value))
        }
    }

    private static func bytes(_ text: String) -> UInt64? {
        let units: [(suffix: String, bytes: UInt64)] = [
            ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1),
        ]
        for unit in units where text.hasSuffix(unit.suffix) {
            guard let count = UInt64(text.dropLast(unit.suffix.count)),
                count <= UInt64.max / unit.bytes
            else { return nil }
            return count * unit.bytes
        }
        return nil
    }

    /// `1.2.3` as 1 · 10⁸ + 2 · 10⁴ + 3; parts that are not there are 0, what follows a `-` or `+` is left out.
    private static func version(_ text: String) -> UInt64? {
        let parts = text.prefix { $0 != "-" && $0 != "+" }
            .split(separator: ".", omittingEmptySubsequences: false)
        guard (1...3).contains(parts.count) else { return nil }
        var number: UInt64 = 0
        for index in 0..<3 {
            let part = index < parts.count ? UInt64(parts[index]) : 0
            guard let part, part < 10_000 else { return nil }
            number = number * 10_000 + part
        }
        return number
    }
}

/// Why a selector's text was refused.
package enum SelectorError: Error, Equatable, Sendable, CustomStringConvertible {
    case empty
    case tooLong(bytes: Int, bytesMax: Int)
    case clause(String)
    case keyTwice(String)
    case value(key: String, value: String, wanted: String)
    case notOrdered(String)

    package var description: String {
        switch self {
        case .empty: "the selector is empty; write 'store=1,2', 'key=value' or 'all'"
        case .tooLong(let bytes, let bytesMax):
            "the selector has \(bytes) bytes, at most \(bytesMax) are read"
        case .clause(let text): "'\(text)' is not key=value[,value...]"
        case .keyTwice(let key): "'\(key)' occurs twice; write \(key)=a,b for either of two values"
        case .value(let key, let value, let wanted):
            "'\(value)' cannot be compared with a device's \(key); write \(wanted)"
        case .notOrdered(let key):
            "'\(key)' has no order; write \(key)=value (< and > are for cores, memory, flash, budget, "
                + "battery, temperature and version)"
        }
    }
}
