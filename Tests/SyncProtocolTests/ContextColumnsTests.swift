import SyncProtocol
import TestSupport
import Testing

@Suite("Totals as columns")
struct ContextColumnsTests {
    /// What a frame says, by name.
    static func said(_ context: Context) -> [Int32: [String: UInt32]] {
        var said: [Int32: [String: UInt32]] = [:]
        for day in context.days {
            said[day.day] = [:]
            for sold in day.sold {
                said[day.day]?[context.items[Int(sold.itemIndex)]] = sold.units
            }
        }
        return said
    }

    static func context(_ random: inout SeededGenerator, items: Int) -> Context {
        let names = (0..<items).map { "item-\($0)" }.shuffled(using: &random)
        return Context(
            revision: random.next(), items: names,
            days: (1...4 as ClosedRange<Int32>).map { day in
                let sold = names.indices.filter { _ in Int.random(in: 0...3, using: &random) > 0 }
                return StoreDay(
                    day: day, final: day > 2,
                    sold: sold.shuffled(using: &random).map {
                        ItemDay(
                            itemIndex: UInt32($0),
                            units: Bool.random(using: &random) ? .max : 1 + UInt32($0))
                    })
            }, ownShare: 0.5, more: Bool.random(using: &random))
    }

    @Test(
        "say the same to a device that has heard and said the same names",
        arguments: 1...20 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var (device, hub) = (NamedItems(), NamedItems())
        for number in 1...6 as ClosedRange<UInt64> {
            if Bool.random(using: &random) {
                let records = (0..<9).map { _ in
                    NamedItemsTests.sale(7, "item-\(Int.random(in: 0...40, using: &random))", 3)
                }
                let upload = device.columns(of: Upload(firstSequence: number, records: records))
                #expect(try hub.records(of: upload) == records, "seed \(seed)")
            }
            let context = Self.context(&random, items: Int.random(in: 0...40, using: &random))
            let wire = encodeFrame(.context(hub.columns(of: context)))
            guard case .context(let arrived)? = try decode(wire, from: .hub).first else {
                Issue.record("no context")
                return
            }
            let plain = try device.plain(arrived)
            #expect(Self.said(plain) == Self.said(context), "seed \(seed)")
            #expect(plain.days.map(\.final) == context.days.map(\.final))
            #expect(plain.revision == context.revision && plain.more == context.more)
            #expect(device == hub, "seed \(seed)")
        }
    }

    @Test("cost two bytes an item, and its name once on a connection")
    func bytes() throws {
        var hub = NamedItems()
        let context = Context(
            revision: 9_000, items: (1...50).map { "\($0)" },
            days: [
                StoreDay(
                    day: 20_000, final: true,
                    sold: (0..<50).map { ItemDay(itemIndex: $0, units: 200 + $0) })
            ], ownShare: 0.5)
        let first = encodeFrame(.context(hub.columns(of: context))).count
        let second = encodeFrame(.context(hub.columns(of: context))).count
        #expect(second <= 130 && first - second == 2 * 50 + 91)
    }

    @Test("with more names than a connection takes stay as they are")
    func tooManyNames() throws {
        var hub = NamedItems()
        let names = (0..<NamedItems.countMax).map { "i\($0)" }
        func context(_ items: [String]) -> Context {
            Context(
                items: items,
                days: [StoreDay(day: 1, sold: [ItemDay(itemIndex: 0, units: 1)])])
        }
        #expect(hub.columns(of: context(names)).items.isEmpty)
        #expect(hub.columns(of: context(["another"])) == context(["another"]))
        #expect(hub.columns(of: context(["i7"])).days[0].itemGaps == [7])
    }

    @Test("that speak of an item nobody has named, or name too many, are refused")
    func refused() throws {
        func refusal(_ context: Context, names: [String] = []) -> WireError? {
            var device = NamedItems()
            do throws(WireError) {
                _ = try device.plain(Context(namedItems: names))
                _ = try device.plain(context)
                return nil
            } catch { return error }
        }
        let two = StoreDay(day: 1, units: [1, 1], itemGaps: [0, 1])
        let index = WireError.valueInvalid(field: 3, rule: .index)
        #expect(refusal(Context(days: [two]), names: ["a", "b", "c"]) == nil)
        #expect(refusal(Context(days: [two]), names: ["a", "b"]) == index)
        #expect(refusal(Context(days: [two])) == index)
        for gap in [3, 4_096, UInt32.max] {
            let far = StoreDay(day: 1, units: [1], itemGaps: [gap])
            #expect(refusal(Context(days: [far]), names: ["a", "b", "c"]) == index)
        }
        let names = (0..<NamedItems.countMax).map { "i\($0)" }
        #expect(
            refusal(Context(namedItems: ["more"]), names: names)
                == .elementsTooMany(field: 7, countMax: NamedItems.countMax))
    }

    @Test("have a digest that any change of them changes, and never 0")
    func digest() {
        func digest(_ sold: [(String, UInt32)]) -> UInt32 {
            var digest = TotalsDigest()
            for (item, units) in sold { digest.add(item.utf8, units: units) }
            return digest.value
        }
        // FNV-1a's own test vector: the hash of nothing.
        #expect(digest([]) == 0x811C_9DC5)
        let all = [
            digest([("a", 1)]), digest([("a", 2)]), digest([("a", 256)]), digest([("b", 1)]),
            digest([("ab", 1)]), digest([("a", 1), ("b", 1)]), digest([("a", 1), ("b", 2)]),
        ]
        #expect(Set(all).count == all.count && !all.contains(0))
    }
}
