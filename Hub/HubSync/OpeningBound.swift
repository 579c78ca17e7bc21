import NIOCore
import Synchronization

/// How many TLS handshakes are in progress. Above a bound the listener accepts no more for a while: the next ones wait in
/// the kernel, where they cost nothing. Without it, as many as come are begun together, all of them are still unfinished
/// when their time is over, and come again.
final class OpeningBound: Sendable {
    /// One connection's part; ends once, however often it is told to.
    final class Opening: Sendable {
        private let bound: OpeningBound
        private let hasEnded = Atomic(false)

        fileprivate init(_ bound: OpeningBound) { self.bound = bound }

        func end() {
            if !hasEnded.exchange(true, ordering: .relaxed) { bound.count(-1) }
        }
    }

    private struct State {
        var count = 0
        var listener: (any Channel)?
        var isPaused = false
    }

    private let openingsMax: Int
    private let state = Mutex(State())

    init(openingsMax: Int) { self.openingsMax = openingsMax }

    func attach(_ listener: any Channel) {
        state.withLock { $0.listener = listener }
        count(0)
    }

    func begin() -> Opening {
        count(1)
        return Opening(self)
    }

    var openingCount: Int { state.withLock { $0.count } }

    private func count(_ change: Int) {
        let listener: (any Channel)? = state.withLock { state in
            state.count += change
            let pauses = state.count >= openingsMax
            guard pauses != state.isPaused, let listener = state.listener else { return nil }
            state.isPaused = pauses
            return listener
        }
        guard let listener else { return }
        // Asked again there, so that of two changes the later one holds.
        listener.eventLoop.execute {
            let isPaused = self.state.withLock { $0.isPaused }
            listener.setOption(.autoRead, value: !isPaused).whenFailure { _ in
                // It is closed, and nothing is accepted any more.
            }
        }
    }
}
