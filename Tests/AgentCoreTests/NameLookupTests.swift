import AgentCore
import TestSupport
import Testing

/// A name server's packets, written by hand from RFC 1035.
enum Answering {
    struct Record {
        var owner: [UInt8]
        var type: UInt16
        var data: [UInt8]

        static func ipv4(_ owner: String, _ bytes: UInt8...) -> Record {
            Record(owner: name(owner), type: 1, data: bytes)
        }
        static func ipv6(_ owner: String, last: UInt8) -> Record {
            Record(owner: name(owner), type: 28, data: v6(last))
        }
        static func alias(_ owner: String, of other: String) -> Record {
            Record(owner: name(owner), type: 5, data: name(other))
        }
    }

    static func v6(_ last: UInt8) -> [UInt8] {
        [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [last]
    }

    static func name(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for label in text.split(separator: ".") { bytes += [UInt8(label.utf8.count)] + label.utf8 }
        return bytes + [0]
    }

    /// - Parameter isCut: it did not fit (TC).
    static func packet(
        to question: [UInt8], code: UInt8 = 0, isCut: Bool = false, _ records: [Record] = []
    ) -> [UInt8] {
        var bytes = question
        bytes[2] = 0x81 | (isCut ? 2 : 0)
        bytes[3] = 0x80 | code
        bytes[7] = UInt8(records.count)
        for record in records {
            bytes += record.owner + [0, UInt8(record.type), 0, 1, 0, 0, 0, 60]
            bytes += [UInt8(record.data.count >> 8), UInt8(record.data.count & 255)] + record.data
        }
        return bytes
    }

    /// What it asks for, as text.
    static func asked(_ question: [UInt8]) -> String {
        var labels: [String] = []
        var at = 12
        while at < question.count, question[at] != 0 {
            labels.append(
                String(decoding: question[at + 1...at + Int(question[at])], as: UTF8.self))
            at += Int(question[at]) + 1
        }
        return labels.joined(separator: ".")
    }
}

@Suite("An address as text")
struct NetworkAddressTests {
    static func parse(_ text: String) -> NetworkAddress? {
        NetworkAddress(text: [UInt8](text.utf8)[...])
    }

    /// 16-bit groups from the front and from the back, zeros between.
    static func sixteen(_ front: [UInt8], _ back: [UInt8] = []) -> [UInt8] {
        front + [UInt8](repeating: 0, count: 16 - front.count - back.count) + back
    }

    static let table: [(text: String, bytes: [UInt8])] = [
        ("192.0.2.7", [192, 0, 2, 7]), ("0.0.0.0", [0, 0, 0, 0]), ("::", sixteen([])),
        ("::1", sixteen([], [1])), ("1::", sixteen([0, 1])),
        ("2001:DB8::7", sixteen([0x20, 1, 0xd, 0xb8], [7])),
        ("1:2:3:4:5:6:7:8", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]),
        ("1:2:3:4:5:6:7::", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0]),
        ("::ffff:192.0.2.7", sixteen([], [255, 255, 192, 0, 2, 7])),
    ]

    @Test("is an address of four or sixteen bytes", arguments: table)
    func addresses(text: String, bytes: [UInt8]) {
        #expect(Self.parse(text) == NetworkAddress(bytes: bytes))
    }

    @Test("names the link it lies on")
    func zone() throws {
        let address = try #require(Self.parse("fe80::1%eth0"))
        #expect(address.bytes == [0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [1])
        #expect(address.zone == Array("eth0".utf8))
    }

    @Test(
        "is nothing else",
        arguments: [
            "", "hub", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "1.2.3.", "1.2.3.-1", ":",
            ":::",
            "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "g::",
            "1:", ":1", "::1.2.3", "1.2.3.4::", "fe80::1%", "fe80::1%0123456789abcdef",
            "1.2.3.4%eth0",
            "1:2:3:4:5:6:7:1.2.3.4",
        ])
    func nonsense(text: String) {
        #expect(Self.parse(text) == nil)
    }
}

@Suite("Whom a device asks for names")
struct NameServersTests {
    @Test("stands in resolv.conf, of which the rest is passed over")
    func configuration() {
        var servers = NameServers()
        #expect(servers.asked == [NetworkAddress(bytes: [127, 0, 0, 1])])
        #expect(servers.milliseconds == 2_000)
        let text = """
            # made by hand
            nameserver 192.0.2.1   ; the router
            nameserver\tfe80::1%eth0
            nameserver nonsense
            nameserver 192.0.2.3
            nameserver 192.0.2.4
            domain example.com
            search shop.example.com example.com
            options rotate ndots:2 timeout:1 attempts:99 edns0
            sortlist 130.155.160.0
            nameserver
            """
        for line in text.utf8.split(separator: 10) { servers.take(line: [UInt8](line)[...]) }
        #expect(servers.servers.map(\.bytes.count) == [4, 16, 4])
        #expect(servers.servers[1].zone == Array("eth0".utf8))
        #expect(servers.search == [Array("shop.example.com".utf8), Array("example.com".utf8)])
        #expect((servers.dots, servers.attempts, servers.milliseconds) == (2, 5, 1_000))
        servers.take(line: Array("options timeout:30".utf8)[...])
        #expect(servers.milliseconds == 2_500, "every server gets its turn")
    }

    @Test("is not asked for what stands in the list of hosts")
    func hosts() {
        func address(_ line: String) -> [UInt8]? {
            NameServers.address(inHosts: Array(line.utf8)[...], of: Array("hub.shop".utf8))?.bytes
        }
        #expect(address("192.0.2.9 hub.shop") == [192, 0, 2, 9])
        #expect(address("  192.0.2.9\thub HUB.Shop # the hub") == [192, 0, 2, 9])
        #expect(address("192.0.2.9 hub #hub.shop") == nil)
        #expect(address("192.0.2.9 hub.shop.example") == nil)
        #expect(address("hub.shop") == nil)
        #expect(address("nonsense hub.shop") == nil)
        #expect(address("") == nil)
    }
}

@Suite("A name server's answer")
struct NameMessageTests {
    static let name = Answering.name("hub.example")
    static let question = NameMessage.question(name, .ipv4, id: 0x1234)

    static func read(_ packet: [UInt8]) -> NameMessage.Answer? {
        NameMessage.answer(in: packet, to: name, .ipv4, id: 0x1234)
    }

    static let addresses = NameMessage.Answer.addresses([NetworkAddress(bytes: [192, 0, 2, 1])])

    @Test("is asked for in RFC 1035's bytes")
    func bytes() {
        #expect(
            Self.question
                == [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3] + Array("hub".utf8) + [7]
                + Array("example".utf8) + [0, 0, 1, 0, 1])
    }

    @Test("gives the name's addresses, through its aliases, in any order and case")
    func aliases() {
        #expect(
            Self.read(
                Answering.packet(
                    to: Self.question,
                    [
                        .ipv4("c.example", 192, 0, 2, 1), .alias("B.example", of: "C.example"),
                        .alias("hub.example", of: "b.example"), .ipv4("other", 192, 0, 2, 9),
                        .ipv6("c.example", last: 1),
                    ])) == Self.addresses)
        #expect(Self.read(Answering.packet(to: Self.question)) == .addresses([]))
    }

    @Test("gives four addresses at most, and follows eight aliases at most, round or not")
    func bounds() {
        let many = (1...9).map { Answering.Record.ipv4("hub.example", 192, 0, 2, $0) }
        guard case .addresses(let list)? = Self.read(Answering.packet(to: Self.question, many))
        else { return #expect(Bool(false)) }
        #expect(list.count == 4)
        let ring: [Answering.Record] = [
            .alias("hub.example", of: "a"), .alias("a", of: "hub.example"),
        ]
        #expect(Self.read(Answering.packet(to: Self.question, ring)) == .addresses([]))
        func chain(_ count: Int) -> [Answering.Record] {
            (0..<count).map {
                .alias($0 == 0 ? "hub.example" : "n\($0)", of: "n\($0 + 1)")
            } + [.ipv4("n\(count)", 192, 0, 2, 1)]
        }
        #expect(Self.read(Answering.packet(to: Self.question, chain(8))) == Self.addresses)
        #expect(Self.read(Answering.packet(to: Self.question, chain(9))) == .addresses([]))
    }

    @Test("takes what came of an answer that did not fit, and asks elsewhere where nothing did")
    func cut() {
        var packet = Answering.packet(
            to: Self.question, isCut: true,
            [.ipv4("hub.example", 192, 0, 2, 1), .ipv4("hub.example", 192, 0, 2, 2)])
        packet.removeLast(3)
        #expect(Self.read(packet) == Self.addresses)
        #expect(Self.read(Answering.packet(to: Self.question, isCut: true)) == .refused)
        packet[2] &= ~2
        #expect(Self.read(packet) == nil, "cut off without saying so")
    }

    @Test("says that there is no such name, or that the server cannot say")
    func codes() {
        #expect(Self.read(Answering.packet(to: Self.question, code: 3)) == .noSuchName)
        for code: UInt8 in [1, 2, 4, 5] {
            #expect(Self.read(Answering.packet(to: Self.question, code: code)) == .refused)
        }
    }

    @Test("is passed over where it answers something else")
    func strangers() {
        let good = Answering.packet(
            to: Self.question, [.ipv4("hub.example", 192, 0, 2, 1)])
        #expect(Self.read(good) == Self.addresses)
        func spoiled(_ at: Int, _ value: UInt8) -> [UInt8] {
            var packet = good
            packet[at] = value
            return packet
        }
        let type = 12 + Self.name.count + 1
        for (at, value): (Int, UInt8) in [
            (0, 0x13), (1, 0x35), (2, 0x01), (2, 0x89), (5, 0), (5, 2), (13, UInt8(ascii: "p")),
            (type, 28), (type + 2, 3),
        ] {
            #expect(Self.read(spoiled(at, value)) == nil, "byte \(at) is \(value)")
        }
        #expect(Self.read(Self.question) == nil, "a question is no answer")
        #expect(
            Self.read(good + [UInt8](repeating: 0, count: NameMessage.packetBytesMax)) == nil)
        for count in 0..<good.count { #expect(Self.read([UInt8](good.prefix(count))) == nil) }
    }

    @Test("may point back for names, and nowhere else")
    func pointers() {
        /// An answer whose owner is given in bytes of one's own.
        func packet(owner: [UInt8]) -> [UInt8] {
            var packet = Answering.packet(to: Self.question)
            packet[7] = 1
            return packet + owner + [0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]
        }
        let here = UInt8(Self.question.count)
        #expect(Self.read(packet(owner: [0xC0, 12])) == Self.addresses)
        #expect(Self.read(packet(owner: [3] + Array("HUB".utf8) + [0xC0, 16])) == Self.addresses)
        #expect(Self.read(packet(owner: [0xC0, here])) == nil, "at itself")
        #expect(Self.read(packet(owner: [1, 97, 0xC0, here])) == nil, "round")
        #expect(Self.read(packet(owner: [0xC0, here + 2])) == nil, "forward")
        #expect(Self.read(packet(owner: [0xFF, 0xFF])) == nil)
        #expect(Self.read(packet(owner: [0x40, 1, 0])) == nil, "a label of no known kind")
        let long = [UInt8](
            [[UInt8]](repeating: [63] + [UInt8](repeating: 97, count: 63), count: 4)
                .joined())
        #expect(Self.read(packet(owner: long + [0])) == nil, "longer than a name may be")
    }

    @Test("whatever it is, is read within its bytes", arguments: 1...20)
    func spoiled(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let good = Answering.packet(
            to: Self.question,
            [
                .alias("hub.example", of: "b"), .ipv4("b", 192, 0, 2, 1),
                .ipv6("b", last: 3),
                Answering.Record(owner: [0xC0, 12], type: 1, data: [1, 2, 3, 4]),
            ])
        for _ in 0..<5_000 {
            var packet = good
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                // Mostly behind the question, where it is still taken for an answer.
                let first = Int.random(in: 0..<4, using: &random) == 0 ? 0 : Self.question.count
                let at = Int.random(in: first..<packet.count, using: &random)
                packet[at] =
                    Bool.random(using: &random)
                    ? UInt8.random(in: 0...255, using: &random)
                    : [0, 1, 12, 0x3F, 0x40, 0xC0, 0xFF].randomElement(using: &random)!
            }
            if Int.random(in: 0..<4, using: &random) == 0 {
                packet.removeLast(Int.random(in: 0...packet.count, using: &random))
            }
            guard case .addresses(let list)? = Self.read(packet) else { continue }
            #expect(
                list.count <= NameMessage.addressesMax && list.allSatisfy { $0.bytes.count == 4 })
        }
    }

    @Test("is not asked for what cannot be a name")
    func names() {
        func wire(_ text: String) -> [UInt8]? { NameMessage.wire([UInt8](text.utf8)[...]) }
        #expect(wire("Hub.Example") == Self.name)
        #expect(wire("hub.example.") == Self.name)
        #expect(wire("_x-1") == Answering.name("_x-1"))
        let label = String(repeating: "a", count: 63)
        #expect(
            wire([label, label, label, String(repeating: "a", count: 61)].joined(separator: "."))
                != nil)
        for text in [
            "", ".", "..", "a..b", ".a", "a b", "hüb", label + "a", "a/b", "a\0b",
            [label, label, label, String(repeating: "a", count: 62)].joined(separator: "."),
        ] { #expect(wire(text) == nil, "\(text)") }
    }
}

@Suite("Looking a name up")
struct NameLookupTests {
    static func servers(_ lines: String...) -> NameServers {
        var servers = NameServers()
        for line in lines { servers.take(line: [UInt8](line.utf8)[...]) }
        return servers
    }

    static let two = servers("nameserver 192.0.2.1", "nameserver 192.0.2.2")

    /// What is asked, "name@last byte of the server" or "name@multicast".
    static func shown(_ step: NameLookup.Step) -> String {
        switch step {
        case .ask(let question):
            let whom = question.isMulticast ? "multicast" : "\(question.server.bytes.last ?? 0)"
            return Answering.asked(question.packets[0]) + "@" + whom
        case .wait: return "wait"
        case .found(let list):
            return list.map { "\($0.bytes.count).\($0.bytes.last ?? 0)" }.joined(separator: " ")
        case .failed(let failure): return "\(failure)"
        }
    }

    static func packets(_ step: NameLookup.Step) throws -> [[UInt8]] {
        guard case .ask(let question) = step else {
            throw TestFailure(text: "asks nothing: \(shown(step))")
        }
        #expect(question.packets.count == 2)
        return question.packets
    }

    struct TestFailure: Error { var text: String }

    static func lookup(_ name: String, _ servers: NameServers) throws -> NameLookup {
        try #require(NameLookup([UInt8](name.utf8), servers: servers, now: 0))
    }

    @Test("asks for both kinds of address, and gives them in turn")
    func both() throws {
        var lookup = try Self.lookup("hub.example", Self.two)
        let asked = try Self.packets(lookup.goOn(now: 0, random: 0x1111_2222))
        #expect(asked[0].prefix(2) == [0x11, 0x11] && asked[1].prefix(2) == [0x22, 0x22])
        #expect(lookup.deadline == 2_000)
        let v4 = Answering.packet(
            to: asked[1],
            [.ipv4("hub.example", 192, 0, 2, 8), .ipv4("hub.example", 192, 0, 2, 9)])
        #expect(lookup.take(v4, now: 100, random: 0) == .wait)
        #expect(lookup.deadline == 400, "the other kind gets a moment, no more")
        #expect(lookup.take(v4, now: 110, random: 0) == .wait, "said twice")
        let v6 = Answering.packet(to: asked[0], [.ipv6("hub.example", last: 7)])
        #expect(Self.shown(lookup.take(v6, now: 120, random: 0)) == "16.7 4.8 4.9")
    }

    @Test("does with one kind where the other is never answered")
    func oneKind() throws {
        var lookup = try Self.lookup("hub.example", Self.two)
        let asked = try Self.packets(lookup.goOn(now: 0, random: 7))
        let v4 = Answering.packet(to: asked[1], [.ipv4("hub.example", 192, 0, 2, 8)])
        #expect(lookup.take(v4, now: 100, random: 0) == .wait)
        #expect(lookup.goOn(now: 399, random: 0) == .wait)
        #expect(Self.shown(lookup.goOn(now: 400, random: 0)) == "4.8")
    }

    @Test("asks every server in turn, with numbers of their own, and then gives up")
    func silence() throws {
        var lookup = try Self.lookup("hub.example", Self.two)
        var (now, steps): (Int64, [String]) = (0, [])
        var ids: Set<[UInt8]> = []
        for number: UInt32 in 1...9 {
            let step = lookup.goOn(now: now, random: number &* 0x9E37_79B9)
            steps.append(Self.shown(step))
            guard case .ask(let question) = step else { break }
            for packet in question.packets { ids.insert([UInt8](packet.prefix(2))) }
            #expect(lookup.goOn(now: now + 1_999, random: 0) == .wait)
            now = lookup.deadline
        }
        #expect(
            steps == [
                "hub.example@1", "hub.example@2", "hub.example@1", "hub.example@2", "noAnswer",
            ])
        #expect(ids.count == 8)
    }

    @Test("ends within ten seconds, whatever is configured")
    func end() throws {
        var lookup = try Self.lookup(
            "hub",
            Self.servers(
                "nameserver 192.0.2.1", "options timeout:30 attempts:5", "search a b c d e f"))
        var (now, asked): (Int64, Int) = (0, 0)
        while case .ask = lookup.goOn(now: now, random: 1), asked < 100 {
            asked += 1
            now = lookup.deadline
        }
        #expect(asked == 2 && now == 10_000)
    }

    @Test("goes to the next server at once where one cannot say")
    func refused() throws {
        var lookup = try Self.lookup("hub.example", Self.two)
        let asked = try Self.packets(lookup.goOn(now: 0, random: 7))
        #expect(lookup.take(Answering.packet(to: asked[0], code: 2), now: 1, random: 0) == .wait)
        let next = lookup.take(Answering.packet(to: asked[1], code: 5), now: 2, random: 9)
        #expect(Self.shown(next) == "hub.example@2")
        #expect(Self.shown(lookup.couldNotAsk(now: 3, random: 9)) == "hub.example@1")
    }

    @Test("looks for short names in the domains of the search list first, for others last")
    func search() throws {
        func names(_ name: String, _ servers: NameServers) throws -> [String] {
            var lookup = try Self.lookup(name, servers)
            var steps: [String] = []
            var step = lookup.goOn(now: 0, random: 7)
            while case .ask(let question) = step, steps.count < 20 {
                steps.append(Self.shown(step))
                for packet in question.packets {
                    step = lookup.take(
                        Answering.packet(to: packet, code: 3), now: 1, random: 7)
                }
            }
            return steps + [Self.shown(step)]
        }
        let one = Self.servers("nameserver 192.0.2.1", "search shop.example example")
        #expect(
            try names("hub", one) == [
                "hub.shop.example@1", "hub.example@1", "hub@1", "noSuchName",
            ])
        #expect(
            try names("hub.north", one) == [
                "hub.north@1", "hub.north.shop.example@1", "hub.north.example@1", "noSuchName",
            ])
        #expect(try names("hub.", one) == ["hub@1", "noSuchName"])
        let dots = Self.servers("nameserver 192.0.2.1", "search example", "options ndots:2")
        #expect(
            try names("hub.north", dots) == ["hub.north.example@1", "hub.north@1", "noSuchName"])
    }

    @Test("asks whoever is on the link for NAME.local, and then the servers")
    func multicast() throws {
        var lookup = try Self.lookup("hub.local", Self.two)
        #expect(Self.shown(lookup.goOn(now: 0, random: 7)) == "hub.local@multicast")
        let again = lookup.goOn(now: 1_000, random: 8)
        #expect(Self.shown(again) == "hub.local@multicast")
        var heard = lookup
        let asked = try Self.packets(again)
        #expect(
            heard.take(
                Answering.packet(to: asked[1], [.ipv4("hub.local", 192, 0, 2, 5)]), now: 1_010,
                random: 0) == .wait)
        #expect(Self.shown(heard.goOn(now: 1_310, random: 0)) == "4.5")
        #expect(Self.shown(lookup.goOn(now: 2_000, random: 8)) == "hub.local@1")
        // A name below such a one is a domain's.
        var deeper = try Self.lookup("hub.shop.local", Self.two)
        #expect(Self.shown(deeper.goOn(now: 0, random: 7)) == "hub.shop.local@1")
    }

    @Test("believes nobody who was not asked, or was asked something else")
    func strangers() throws {
        var lookup = try Self.lookup("hub.example", Self.two)
        let first = try Self.packets(lookup.goOn(now: 0, random: 7))
        let second = try Self.packets(lookup.goOn(now: 2_000, random: 0x8888_8888))
        let late = Answering.packet(to: first[1], [.ipv4("hub.example", 192, 0, 2, 8)])
        #expect(lookup.take(late, now: 2_001, random: 0) == .wait)
        var other = second[1]
        other[13] = UInt8(ascii: "p")
        #expect(
            lookup.take(
                Answering.packet(to: other, [.ipv4("pub.example", 192, 0, 2, 8)]), now: 2_002,
                random: 0) == .wait)
        #expect(lookup.deadline == 4_000)
    }
}
