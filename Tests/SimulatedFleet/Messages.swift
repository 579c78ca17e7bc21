import AgentCore

/// What a device hears from the hub (message DesiredState).
struct Desired {
    enum Wish { case run, stay, noFit, goBack }

    var wish: Wish
    /// A model's number.
    var package = 0
    var terms = UpdateTerms()
    /// By the hub, in its minutes.
    var saidAt = 0
}

enum Outcome { case trial, active, refused, rolledBack }

/// One closed day of a device.
struct ClosedDay {
    var day: Int
    var isShut: Bool
    /// Of the package that forecast beside the active one, and of that; 0: none.
    var candidate = 0
    var active = 0
}

struct Report {
    var package: Int
    var outcome: Outcome
    var reason: String
}

enum Message {
    case register(running: Int, budget: Int)
    case upload([ClosedDay])
    case fetch(package: Int)
    case report(Report, running: Int)
}

enum Answer {
    case desired(Desired)
    case stored
    case chunk
    case noted
    case refused
}

/// A line of a device's or the hub's history, for whoever reads a failure.
struct TraceLine {
    var minute: Int
    var what: StaticString
    var number = 0
    var detail = ""

    var text: String {
        let day = minute / 1_440
        let (hour, rest) = (minute % 1_440 / 60, minute % 60)
        return "day \(day) \(hour):\(rest < 10 ? "0" : "")\(rest)  \(what) \(number) \(detail)"
    }
}

/// The latest lines of a history.
struct Trace {
    static let keptMax = 60
    private(set) var lines: [TraceLine] = []

    mutating func add(_ line: TraceLine) {
        if lines.count >= 2 * Self.keptMax { lines.removeFirst(Self.keptMax) }
        lines.append(line)
    }

    var text: String { text(of: Self.keptMax) }
    var tail: String { text(of: 12) }

    private func text(of count: Int) -> String {
        lines.suffix(count).map(\.text).joined(separator: "\n")
    }
}

/// A day on which a device forecast with both.
struct PairedDay {
    var day: Int
    var active: Int
    var candidate: Int
}
