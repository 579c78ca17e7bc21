import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How far a command is, on standard error: one line redrawn on a terminal, elsewhere a line now
/// and then.
final class ProgressBar: Sendable {
    private struct State {
        var lastDrawn: ContinuousClock.Instant
        var hasDrawn = false
    }

    private static let barColumns = 24
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let title: String
    private let state: Mutex<State>

    init(_ title: String) {
        self.title = title
        // A terminal shows the bar at once; a log has no use for a line about a command that is quick.
        let now = ContinuousClock.now
        state = Mutex(State(lastDrawn: isTerminal ? now - .seconds(3600) : now))
    }

    /// - Parameter fraction: done, 0...1.
    func update(_ fraction: Double, _ detail: @autoclosure () -> String) {
        let isDue = state.withLock { state in
            let now = ContinuousClock.now
            guard now - state.lastDrawn >= (isTerminal ? .milliseconds(100) : .seconds(5)) else {
                return false
            }
            state.lastDrawn = now
            state.hasDrawn = true
            return true
        }
        if isDue { draw(fraction, detail()) }
    }

    /// Draws the last state and ends the line.
    func finish(_ detail: String) {
        draw(1, detail)
        if isTerminal { Console.write("\n", to: STDERR_FILENO) }
    }

    /// Takes the line away, for a line of output to stand there; the next update draws it again.
    func clear() {
        if isTerminal, state.withLock({ $0.hasDrawn }) {
            Console.write("\r\u{1B}[K", to: STDERR_FILENO)
        }
    }

    /// Leaves the line as it is, for a message to follow.
    func abandon() {
        if isTerminal, state.withLock({ $0.hasDrawn }) { Console.write("\n", to: STDERR_FILENO) }
    }

    private func draw(_ fraction: Double, _ detail: String) {
        let done = min(max(fraction, 0), 1)
        let percent = "\(Int(done * 100))%"
        if isTerminal {
            let filled = Int(done * Double(Self.barColumns))
            let bar =
                String(repeating: "#", count: filled)
                + String(repeating: ".", count: Self.barColumns - filled)
            Console.write("\r\(title) [\(bar)] \(percent) \(detail)\u{1B}[K", to: STDERR_FILENO)
        } else {
            Console.error("\(title) \(percent) \(detail)")
        }
    }

    /// `2:05`, or `1:02:05`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e7 else { return "-" }
        let whole = Int(seconds.rounded(.up))
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return whole >= 3600
            ? "\(whole / 3600):\(two(whole / 60 % 60)):\(two(whole % 60))"
            : "\(whole / 60):\(two(whole % 60))"
    }
}
