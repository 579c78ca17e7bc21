/// So many devices of some, or a share of them: `3`, `10%`, `2.5%`, `all`.
package enum RolloutAmount: Hashable, Sendable {
    /// From 1 up.
    case count(Int)
    /// Hundredths of a percent, 1 to 10,000.
    case share(basisPoints: Int)

    package static let all = RolloutAmount.share(basisPoints: 10_000)
    package static let countMax = 1_000_000

    package init(_ text: some StringProtocol) throws(RolloutTextError) {
        if text == "all" {
            self = .all
        } else if text.hasSuffix("%") {
            guard let points = Self.basisPoints(String(text.dropLast())), points > 0 else {
                throw .amount(String(text))
            }
            self = .share(basisPoints: points)
        } else {
            guard let count = Int(text), (1...Self.countMax).contains(count) else {
                throw .amount(String(text))
            }
            self = .count(count)
        }
    }

    package var text: String {
        switch self {
        case .count(let count): return "\(count)"
        case .share(let points):
            let rest = points % 100
            if rest == 0 { return "\(points / 100)%" }
            if rest % 10 == 0 { return "\(points / 100).\(rest / 10)%" }
            return "\(points / 100).\(rest < 10 ? "0" : "")\(rest)%"
        }
    }

    /// Of `total` things: a share is rounded up, a count is at most all of them.
    package func of(_ total: Int) -> Int {
        switch self {
        case .count(let count): min(count, total)
        case .share(let points): (total * points + 9_999) / 10_000
        }
    }

    /// `12`, `2.5`, `0.25` percent in hundredths of a percent, up to 100.
    private static func basisPoints(_ text: String) -> Int? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let whole = Int(parts[0]), (0...100).contains(whole),
            parts[0].utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        guard parts.count == 2 else { return whole * 100 }
        let digits = parts[1].utf8
        guard (1...2).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let fraction = Int(parts[1])
        else { return nil }
        let points = whole * 100 + (digits.count == 1 ? fraction * 10 : fraction)
        return points <= 10_000 ? points : nil
    }
}

/// In how many steps a package reaches its devices: `3,10%,50%,100%`. Each step is how many have it by then in all; the
/// last is always all of them.
package struct RolloutWaves: Hashable, Sendable {
    package static let stepsMax = 16
    package static let atOnce = RolloutWaves(steps: [.all])
    /// One in a hundred first, and never fewer than one.
    package static let careful = RolloutWaves(
        steps: [100, 1_000, 5_000, 10_000].map(RolloutAmount.share(basisPoints:)))

    package let steps: [RolloutAmount]

    private init(steps: [RolloutAmount]) { self.steps = steps }

    package init(_ text: String) throws(RolloutTextError) {
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        guard (1...Self.stepsMax).contains(words.count) else {
            throw .waves(text, "there are 1 to \(Self.stepsMax) of them")
        }
        var steps: [RolloutAmount] = []
        for word in words { steps.append(try RolloutAmount(word)) }
        guard steps.last == .all else {
            throw .waves(text, "the last one is 100%, or devices would be left out for good")
        }
        for (before, after) in zip(steps, steps.dropFirst()) {
            let grows =
                switch (before, after) {
                case (.count(let a), .count(let b)): a < b
                case (.share(let a), .share(let b)): a < b
                // Which of both is more depends on the fleet.
                case (.count, .share), (.share, .count): true
                }
            guard grows else { throw .waves(text, "each one is more than the one before") }
        }
        self.steps = steps
    }

    package var text: String { steps.map(\.text).joined(separator: ",") }

    /// How many devices each wave adds, of `devices` in all. A wave that would add none is left out, so a small fleet has
    /// fewer waves.
    package func sizes(devices: Int) -> [Int] {
        var sizes: [Int] = []
        var before = 0
        for step in steps {
            let reached = max(before, step.of(devices))
            if reached > before { sizes.append(reached - before) }
            before = reached
        }
        return sizes
    }
}

/// Within which minutes of a store's day a package may become active: `22:00-05:30`.
package struct OpeningWindow: Hashable, Sendable, Codable {
    package static let minutesOfDay = 1_440

    /// 0 to 1,439.
    package let fromMinute: Int
    /// Before it; smaller than `fromMinute`: past midnight. Never the same.
    package let toMinute: Int

    package init(_ text: String) throws(RolloutTextError) {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let from = Self.minute(ends[0]), let to = Self.minute(ends[1]),
            from != to
        else { throw .window(text) }
        fromMinute = from
        toMinute = to
    }

    package var text: String { Self.text(fromMinute) + "-" + Self.text(toMinute) }

    /// - Parameter minute: of the store's day.
    package func contains(minute: Int) -> Bool {
        fromMinute < toMinute
            ? (fromMinute..<toMinute).contains(minute) : minute >= fromMinute || minute < toMinute
    }

    private static func minute(_ text: Substring) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count <= 2, parts[1].utf8.count == 2,
            let hour = Int(parts[0]), let minute = Int(parts[1]), (0...23).contains(hour),
            (0...59).contains(minute)
        else { return nil }
        return hour * 60 + minute
    }

    private static func text(_ minute: Int) -> String {
        func two(_ number: Int) -> String { (number < 10 ? "0" : "") + "\(number)" }
        return two(minute / 60) + ":" + two(minute % 60)
    }
}

/// When a wave has gone wrong: `1,2%`. A wave fails with so many failures, and never with none.
package struct FailureLimit: Hashable, Sendable {
    package static let careful = FailureLimit(
        canary: .count(1), later: .share(basisPoints: 200))
    /// Only when all fail.
    package static let lenient = FailureLimit(canary: .all, later: .all)

    /// Of the first wave of several.
    package let canary: RolloutAmount
    /// Of every other.
    package let later: RolloutAmount

    private init(canary: RolloutAmount, later: RolloutAmount) {
        self.canary = canary
        self.later = later
    }

    /// One amount is for every wave.
    package init(_ text: String) throws(RolloutTextError) {
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        guard let first = words.first, words.count <= 2 else { throw .failures(text) }
        canary = try RolloutAmount(first)
        later = words.count == 2 ? try RolloutAmount(words[1]) : canary
    }

    package var text: String { canary == later ? canary.text : canary.text + "," + later.text }

    /// From how many failures on the wave has failed.
    package func limit(wave: Int, of waves: Int, devices: Int) -> Int {
        max(1, (wave == 0 && waves > 1 ? canary : later).of(devices))
    }
}

/// Why a text about a rollout was refused.
package enum RolloutTextError: Error, Equatable, Sendable, CustomStringConvertible {
    case amount(String)
    case waves(String, String)
    case window(String)
    case failures(String)

    package var description: String {
        switch self {
        case .amount(let text):
            "'\(text)' is not a number of devices, 1 to \(RolloutAmount.countMax), a share like 10% or 2.5%, or all"
        case .waves(let text, let why): "'\(text)' are no waves: \(why); write 3,10%,50%,100%"
        case .window(let text):
            "'\(text)' is not a window of the store's day; write 22:00-05:30"
        case .failures(let text):
            "'\(text)' is no limit of failures; write 1,2% (canary, later waves) or one for all"
        }
    }
}

// In a database they are their texts.
extension RolloutWaves: Codable {
    package init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

extension FailureLimit: Codable {
    package init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}
