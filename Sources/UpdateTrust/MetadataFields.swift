import JSONText

/// Reading the fields of metadata: each returns nil for whatever is not exactly what it should be.
extension JSONValue {
    /// A whole number from 0 below 10¹⁵, so that every reader can hold it.
    var wholeNumber: UInt64? {
        guard case .number(let digits) = self, digits.count <= 15 else { return nil }
        var value: UInt64 = 0
        for byte in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + UInt64(byte - UInt8(ascii: "0"))
        }
        return value
    }

    /// A version: at least 1.
    var version: UInt64? {
        guard let value = wholeNumber, value > 0 else { return nil }
        return value
    }

    var members: [JSONValue.Member]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    var elements: [JSONValue]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    func isText(_ text: String) -> Bool {
        utf8.map { $0.elementsEqual(text.utf8) } ?? false
    }
}

enum Hexadecimal {
    /// nil for an odd count or any other character. Both cases are read.
    static func bytes(_ text: [UInt8]) -> [UInt8]? {
        guard text.count % 2 == 0 else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(text.count / 2)
        for index in stride(from: 0, to: text.count, by: 2) {
            guard let high = digit(text[index]), let low = digit(text[index + 1]) else {
                return nil
            }
            out.append(high << 4 | low)
        }
        return out
    }

    static func text(_ bytes: [UInt8]) -> [UInt8] {
        let digits = [UInt8]("0123456789abcdef".utf8)
        var out: [UInt8] = []
        for byte in bytes { out += [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }
        return out
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

/// `YYYY-MM-DDTHH:MM:SSZ` (specification 4.2.1) as seconds since 1970 UTC.
package enum UTCTime {
    package static func seconds(_ text: [UInt8]) -> Int64? {
        let form = [UInt8]("0000-00-00T00:00:00Z".utf8)
        guard text.count == form.count else { return nil }
        var numbers: [Int64] = [0]
        for (byte, wanted) in zip(text, form) {
            if wanted == UInt8(ascii: "0") {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                numbers[numbers.count - 1] =
                    numbers[numbers.count - 1] * 10 + Int64(byte - UInt8(ascii: "0"))
            } else {
                guard byte == wanted else { return nil }
                numbers.append(0)
            }
        }
        let (year, month, day) = (numbers[0], numbers[1], numbers[2])
        guard (1...12).contains(month), numbers[3] < 24, numbers[4] < 60, numbers[5] < 60 else {
            return nil
        }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day >= 1, day <= days[Int(month) - 1], year >= 1 else { return nil }
        // Whole years since the year 1, their leap days among them; 719,162 days later it was 1970.
        let before = year - 1
        var total = before * 365 + before / 4 - before / 100 + before / 400 - 719_162 + day - 1
        for index in 0..<(Int(month) - 1) { total += days[index] }
        return ((total * 24 + numbers[3]) * 60 + numbers[4]) * 60 + numbers[5]
    }
}
