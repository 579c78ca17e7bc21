import ArgumentParser

/// A length of time as an operator writes it: `45s`, `30m`, `12h`, `7d`, `2w`.
struct DurationText: ExpressibleByArgument, CustomStringConvertible {
    /// Far above what any option takes, far below what could overflow.
    static let secondsMax: Int64 = 100 * 366 * 86_400

    private static let units: [(letter: Character, seconds: Int64)] = [
        ("w", 604_800), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1),
    ]

    var seconds: Int64

    init(seconds: Int64) { self.seconds = seconds }

    init?(argument: String) {
        guard let letter = argument.last,
            let unit = Self.units.first(where: { $0.letter == letter }),
            let count = Int64(argument.dropLast()), count >= 0,
            count <= Self.secondsMax / unit.seconds
        else { return nil }
        seconds = count * unit.seconds
    }

    /// In the largest unit that says it exactly.
    var description: String {
        for unit in Self.units where seconds >= unit.seconds && seconds % unit.seconds == 0 {
            return "\(seconds / unit.seconds)\(unit.letter)"
        }
        return "0s"
    }

    var defaultValueDescription: String { description }
}
