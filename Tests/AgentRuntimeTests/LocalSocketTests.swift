import AgentCore
import AgentRuntime
import CPosix
import Forecasting
import Foundation
import ModelPackage
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

    @Test("commits what several tills send at once together, and answers each for itself")
    func groupCommit() throws {
        let tills = (0..<5).map { _ in Till(folder) }
        try turn()
        // The first record of a database reads what is there.
        tills[0].send(Self.sale)
        try turn()
        _ = tills[0].answers()
        let bad = #"{"do":"sale","day":"2026-11-21","item":"7","units":0}"# + "\n"
        for (index, till) in tills.enumerated() { till.send(Self.sale + (index == 3 ? bad : "")) }
        service.store.database.writesUntilCut = 1_000
        try turn()
        // Begin, five rows, commit.
        #expect(service.store.database.writesUntilCut == 1_000 - 7)
        for (index, till) in tills.enumerated() {
            let answers = till.answers()
            #expect(answers.count == (index == 3 ? 2 : 1))
            #expect(answers[0].contains(#""ok":true"#), "\(answers)")
        }
        #expect(try service.store.unsentCount() == 6)
    }

    @Test("is its user's and its group's")
    func mode() throws {
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.file("agent.sock"))
        #expect(attributes[.posixPermissions] as? Int == 0o660)
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

    static let hello = #"{"do":"hello"}"# + "\n"
    static let subscribe = #"{"do":"subscribe"}"# + "\n"

    /// Stock that lasts, or does not.
    static func stock(_ units: Int) -> String {
        #"{"do":"stock","item":"1","units":\#(units),"day":"\#(TestPackage.day(1).iso8601)"}"#
            + "\n"
    }

    func offerPackage() throws {
        try hub.offer(try TestPackage.model(release: 1).encode(), release: 1)
        try hub.visit(service)
        try turn()
    }

    @Test("says which version it speaks and what may be asked")
    func version() throws {
        let till = Till(folder)
        try turn()
        till.send(Self.hello)
        try turn()
        let answer = try #require(till.answers().first)
        #expect(answer.starts(with: #"{"ok":true,"version":1,"agent":""#))
        for operation in LocalRequest.operations { #expect(answer.contains("\"\(operation)\"")) }
    }

    @Test("tells subscribers what happens when it happens, and nobody else")
    func events() throws {
        try offerPackage()
        let (screen, till) = (Till(folder), Till(folder))
        screen.send(Self.subscribe)
        try turn()
        let first = screen.answers()
        #expect(first.count == 2)
        #expect(first.first == #"{"ok":true,"alerts":[]}"#)
        #expect(first.last?.starts(with: #"{"event":"forecasts","forecasts":[{"day":"#) == true)
        till.send(Self.stock(1))
        try turn()
        let alert = screen.answers()
        #expect(alert.count == 1)
        #expect(alert.first?.starts(with: #"{"event":"alert","item":"1","onHand":1,"#) == true)
        #expect(alert.first?.contains(#""reason":"run-out","order":"#) == true)
        // Said once, whatever else happens, until it is over.
        till.send(Self.stock(2) + #"{"do":"forecast"}"# + "\n")
        try turn()
        #expect(screen.answers().isEmpty)
        till.send(Self.stock(9_999))
        try turn()
        #expect(screen.answers().map { $0.prefix(35) } == [#"{"event":"alert-over","item":"1","o"#])
        till.send(#"{"do":"close-day","day":"\#(TestPackage.day(1).iso8601)"}"# + "\n")
        try turn()
        let closed = screen.answers()
        #expect(closed.count == 1)
        #expect(closed.first?.contains(#""day":"\#(TestPackage.day(2).iso8601)""#) == true)
        #expect(till.answers().count == 5)
        // It may ask, too.
        screen.send(Self.hello)
        try turn()
        #expect(screen.answers().count == 1)
    }

    @Test("lets go of a subscriber that does not read, with a word, and goes on")
    func slowSubscriber() throws {
        try offerPackage()
        let (slow, till) = (Till(folder), Till(folder))
        slow.send(Self.subscribe)
        try turn()
        // Answers that nobody reads fill the socket and what may wait here.
        for _ in 0..<60 {
            slow.send(String(repeating: Self.hello, count: 100))
            try turn(1)
        }
        till.send(Self.stock(1))
        try turn()
        #expect(till.answers().count == 1)
        var heard: [String] = []
        for _ in 0..<200 where heard.last?.contains("dropped") != true {
            heard += slow.answers()
            try turn(1)
        }
        #expect(
            heard.last?.starts(with: #"{"event":"dropped","error":"events were not read"#) == true)
        try turn()
        slow.send(Self.hello)
        try turn()
        #expect(slow.answers().isEmpty)
        till.send(Self.hello)
        try turn()
        #expect(till.answers().count == 1)
    }

    @Test("leaves room for tills beside its subscribers")
    func manySubscribers() throws {
        let screens = (0..<9).map { _ in Till(folder) }
        for screen in screens {
            screen.send(Self.subscribe + Self.subscribe)
            try turn()
        }
        let answers = screens.map { $0.answers() }
        #expect(
            answers.dropLast().allSatisfy { $0.allSatisfy { $0 == #"{"ok":true,"alerts":[]}"# } })
        #expect(answers.last?.allSatisfy { $0.contains("8 have subscribed already") } == true)
        let till = Till(folder)
        till.send(Self.sale)
        try turn()
        #expect(till.answers().count == 1)
    }

    @Test("is refused to a second agent on the same state")
    func secondAgent() throws {
        let path = folder.path
        let first = try StateDirectory.take(path)
        #expect(throws: AgentError.self) { try StateDirectory.take(path) }
        withExtendedLifetime(first) {}
    }
}
