package import Forecasting

// How days and identifiers lie in the JSON that the hub keeps: as people write them. Devices have no `Codable`.

extension BusinessDay: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let day = BusinessDay(iso8601: Array(text.utf8)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is no day")
        }
        self = day
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(iso8601)
    }
}

extension Identifier: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        do throws(IdentifierError) { try self.init(text) } catch {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "identifier '\(text)': \(error)")
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
