import AgentCore
import AgentRuntime
import CPosix
import Testing

@Suite("The socket of a running agent")
struct LocalSocketTests {
    let folder = TemporaryFolder()
    let hub = TestHub()
    let runner: Runner
    let service: AgentService

    init() throws {
        hub.enrol(folder)
        service = try AgentService.start(folder)
        runner = try Runner(service, closingTime: nil) { _ in }
    }

    /// A till, on the same thread as the agent: what it sends waits in the socket until the agent's turn.
    final class Till {
        let descriptor: Int32
        private var heard: [UInt8] = []

        init(_ folder: TemporaryFolder) {
            descriptor = shelfcast_connect_unix(folder.file("agent.sock"))
        }

        deinit { _ = shelfcast_close(descriptor) }

        func send(_ bytes: [UInt8]) {
            _ = bytes.withUnsafeBufferPointer {
                $0.baseAddress.map { shelfcast_write(descriptor, $0, bytes.count) }
            }
        }

        func send(_ text: String) { send([UInt8](text.utf8)) }

        /// The answers that have come, without waiting for more.
        func answers() -> [String] {
            while true {
                var entry = shelfcast_poll_entry(
                    descriptor: descriptor, wanted: UInt8(SHELFCAST_POLL_READ), ready: 0)
                guard shelfcast_poll(&entry, 1, 0) > 0 else { break }
                var buffer = [UInt8](repeating: 0, count: 65_536)
                let count = shelfcast_read(descriptor, &buffer, buffer.count)
                guard count > 0 else { break }
                heard += buffer.prefix(Int(count))
            }
            defer { heard = [] }
            return heard.split(separator: UInt8(ascii: "\n")).map {
                String(decoding: $0, as: UTF8.self)
            }
        }
    }

    func turn(_ times: Int = 4) throws {
        for _ in 0..<times { _ = try runner.turn(waitMax: 0) }
    }

    static let sale = #"{"do":"sale","day":"2026-11-21","item":"7","units":2}"# + "\n"

    @Test("records many lines together and answers each")
    func manyLines() throws {
        let till = Till(folder)
        try turn()
        let bad = #"{"do":"sale","day":"2026-11-21","item":"7","units":0}"# + "\n"
        till.send(String(repeating: Self.sale, count: 300) + bad + Self.sale)
        try turn()
        let answers = till.answers()
        #expect(answers.count == 302)
        #expect(answers.count { $0 == #"{"ok":true}"# || $0.contains(#""recorded":1"#) } == 301)
        #expect(answers[300].contains("units '0' is not a whole number"))
        #expect(try service.store.unsentCount() == 301)
    }

    @Test("takes lines cut anywhere", arguments: [1, 2, 5, 11])
    func cutLines(_ piece: Int) throws {
        let till = Till(folder)
        var rest = [UInt8]((Self.sale + Self.sale).utf8)[...]
        while !rest.isEmpty {
            till.send([UInt8](rest.prefix(piece)))
            rest = rest.dropFirst(piece)
            try turn(1)
        }
        try turn()
        #expect(till.answers().count == 2)
        #expect(try service.store.unsentCount() == 2)
    }

    @Test("answers nonsense with what is wrong, and goes on")
    func nonsense() throws {
        let till = Till(folder)
        try turn()
        till.send([0xFF, 0xFE, 0x0A])
        till.send("nonsense\n{}\n[[[[[[[[[[\n\n")
        till.send(Self.sale)
        try turn()
        let answers = till.answers()
        #expect(answers.count == 5)
        #expect(answers.prefix(4).allSatisfy { $0.starts(with: #"{"ok":false,"code":2,"#) })
        #expect(answers[4].contains(#""ok":true"#))
    }

    @Test("closes on a line that never ends, and serves the next till")
    func endless() throws {
        let till = Till(folder)
        try turn()
        for _ in 0..<9 {
            till.send([UInt8](repeating: 0x20, count: 8192))
            try turn(1)
        }
        try turn()
        #expect(
            till.answers() == [#"{"ok":false,"code":2,"error":"a line longer than 65536 bytes"}"#])
        let next = Till(folder)
        try turn()
        next.send(Self.sale)
        try turn()
        #expect(next.answers().count == 1)
    }

    @Test("survives tills that hang up, at any moment and in any number")
    func hangUps() throws {
        for _ in 0..<40 {
            let till = Till(folder)
            till.send(Self.sale + Self.sale.dropLast(5))
            try turn(1)
        }
        try turn(60)
        let till = Till(folder)
        try turn()
        till.send(#"{"do":"status"}"# + "\n")
        try turn()
        #expect(till.answers().first?.contains(#""unsent":40"#) == true)
    }

    @Test("says that the hub cannot be reached to whoever asked for it, and takes sales meanwhile")
    func syncWithoutHub() throws {
        let till = Till(folder)
        try turn()
        till.send(#"{"do":"sync"}"# + "\n" + #"{"do":"status"}"# + "\n")
        let other = Till(folder)
        try turn(1)
        other.send(Self.sale)
        var answers: [String] = []
        for _ in 0..<200 where answers.count < 2 {
            _ = try runner.turn(waitMax: 10)
            answers += till.answers()
        }
        try #require(answers.count == 2)
        #expect(answers[0].contains(#""ok":false"#))
        #expect(answers[1].contains(#""connection":"disconnected""#))
        #expect(other.answers().count == 1)
    }

    @Test("is refused to a second agent on the same state")
    func secondAgent() throws {
        let path = folder.path
        let first = try StateDirectory.take(path)
        #expect(throws: AgentError.self) { try StateDirectory.take(path) }
        withExtendedLifetime(first) {}
    }
}
