import ArgumentParser

/// A number of bytes as an operator writes it: `512`, `512B`, `2KiB`, `1MiB`.
struct ByteCountText: ExpressibleByArgument, CustomStringConvertible {
    static let bytesMax = 1 << 40

    private static let units: [(suffix: String, bytes: Int)] = [
        ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1), ("", 1),
    ]

    var bytes: Int

    init?(argument: String) {
        for unit in Self.units where argument.hasSuffix(unit.suffix) {
            guard let count = Int(argument.dropLast(unit.suffix.count)), count > 0,
                count <= Self.bytesMax / unit.bytes
            else { return nil }
            bytes = count * unit.bytes
            return
        }
        return nil
    }

    /// In the largest unit that says it exactly.
    var description: String {
        for unit in Self.units where bytes >= unit.bytes && bytes % unit.bytes == 0 {
            return "\(bytes / unit.bytes)\(unit.suffix)"
        }
        return "\(bytes)B"
    }
}

/// A short time: `800ns`, `50us`, `2ms`, `1s`.
struct LatencyText: ExpressibleByArgument, CustomStringConvertible {
    private static let units: [(suffix: String, nanoseconds: Double)] = [
        ("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9),
    ]

    var nanoseconds: Int

    init?(argument: String) {
        guard let unit = Self.units.first(where: { argument.hasSuffix($0.suffix) }),
            let count = Double(argument.dropLast(unit.suffix.count)), count > 0,
            count * unit.nanoseconds >= 1, count * unit.nanoseconds <= 6e10
        else { return nil }
        nanoseconds = Int((count * unit.nanoseconds).rounded())
    }

    init(nanoseconds: Int) { self.nanoseconds = nanoseconds }

    var description: String {
        let unit =
            Self.units.last { Double(nanoseconds) >= $0.nanoseconds } ?? Self.units[0]
        let value = Double(nanoseconds) / unit.nanoseconds
        let tenths = (value * 10).rounded() / 10
        return (tenths == tenths.rounded() ? "\(Int(tenths))" : "\(tenths)") + unit.suffix
    }
}

/// A share in percent: `87%` or `87`.
struct PercentText: ExpressibleByArgument, CustomStringConvertible {
    /// 0...100
    var percent: Double

    init?(argument: String) {
        let digits = argument.hasSuffix("%") ? String(argument.dropLast()) : argument
        guard let value = Double(digits), (0...100).contains(value) else { return nil }
        percent = value
    }

    var description: String { "\(percent)%" }
}
