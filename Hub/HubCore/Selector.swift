package import Forecasting

/// Which devices a rollout is for: `store=1,2 shelf=cold;kind=scanner`.
///
/// Clauses are separated by spaces or `;`, and all of them must hold. A clause is
/// `key=value[,value...]` and holds when the device has one of the values. `store` and `device` are
/// the device's own store and id; any other key is a label. No clause at all (`all`) selects every
/// device.
package struct Selector: Hashable, Sendable {
    package static let reservedKeys: Set<String> = ["store", "device"]
    package static let textBytesMax = 4096

    package struct Clause: Hashable, Sendable {
        package let key: String
        package let values: [String]
    }

    package let clauses: [Clause]

    package static let all = Selector(clauses: [])

    private init(clauses: [Clause]) { self.clauses = clauses }

    /// Reads the text form. The word `all` alone selects everything; an empty text is refused, so
    /// that a forgotten shell variable never reaches the whole fleet.
    package init(_ text: String) throws(SelectorError) {
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
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw .clause(String(word)) }
            let key = String(parts[0])
            let values = parts[1].split(separator: ",", omittingEmptySubsequences: false).map(
                String.init)
            guard DeviceLabel.isPart(key), values.allSatisfy({ Self.isValue($0, key: key) }) else {
                throw .clause(String(word))
            }
            guard !clauses.contains(where: { $0.key == key }) else { throw .keyTwice(key) }
            clauses.append(Clause(key: key, values: values))
        }
        self.init(clauses: clauses)
    }

    package var text: String {
        clauses.isEmpty
            ? "all"
            : clauses.map { "\($0.key)=\($0.values.joined(separator: ","))" }.joined(separator: " ")
    }

    package func matches(store: StoreID, device: DeviceID, labels: some Sequence<DeviceLabel>)
        -> Bool
    {
        clauses.allSatisfy { clause in
            switch clause.key {
            case "store": clause.values.contains(store.text)
            case "device": clause.values.contains(device.text)
            default:
                labels.contains { $0.key == clause.key && clause.values.contains($0.value) }
            }
        }
    }

    /// The device as the hub knows it: the operator's labels go before the device's own.
    package func matches(_ device: DeviceRecord) -> Bool {
        matches(store: device.store, device: device.id, labels: device.effectiveLabels)
    }

    private static func isValue(_ value: String, key: String) -> Bool {
        // Store and device ids may hold characters that labels may not.
        reservedKeys.contains(key)
            ? (1...32).contains(value.utf8.count) : DeviceLabel.isPart(value)
    }
}

/// Why a selector's text was refused.
package enum SelectorError: Error, Equatable, Sendable, CustomStringConvertible {
    case empty
    case tooLong(bytes: Int, bytesMax: Int)
    case clause(String)
    case keyTwice(String)

    package var description: String {
        switch self {
        case .empty: "the selector is empty; write 'store=1,2', 'key=value' or 'all'"
        case .tooLong(let bytes, let bytesMax):
            "the selector has \(bytes) bytes, at most \(bytesMax) are read"
        case .clause(let text): "'\(text)' is not key=value[,value...]"
        case .keyTwice(let key): "'\(key)' occurs twice; write \(key)=a,b for either of two values"
        }
    }
}
