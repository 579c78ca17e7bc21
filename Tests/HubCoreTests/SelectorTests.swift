import Forecasting
import HubCore
import Testing

@Suite("Selectors")
struct SelectorTests {
    /// Store 2, device d-7, labels shelf=cold (the operator's) and kind=scanner (its own).
    private func device() throws -> DeviceRecord {
        var device = DeviceRecord(
            id: try DeviceID("d-7"), store: try StoreID("2"), status: .approved,
            labels: [try DeviceLabel("shelf=cold")], token: 1,
            joinedAt: Timestamp(millisecondsSince1970: 0))
        device.reportedLabels = [try DeviceLabel("kind=scanner"), try DeviceLabel("shelf=warm")]
        return device
    }

    @Test(
        "A device is selected when every clause holds",
        arguments: [
            ("all", true), ("store=2", true), ("store=1,2", true), ("store=1", false),
            ("store=12", false), ("device=d-7", true), ("device=d-8", false),
            ("shelf=cold", true), ("kind=scanner", true), ("kind=sensor,scanner", true),
            ("kind=sensor", false), ("colour=red", false), ("store=2 kind=scanner", true),
            ("store=2;kind=sensor", false), (" store=2 ;  shelf=cold ", true),
            // The operator's word goes before the device's own.
            ("shelf=warm", false),
        ])
    func matching(text: String, expected: Bool) throws {
        #expect(try Selector(text).matches(try device()) == expected)
    }

    @Test(
        "What is no selector is refused with the reason",
        arguments: [
            ("", SelectorError.empty), ("  ; ", .empty), ("store", .clause("store")),
            ("store=", .clause("store=")), ("store=1,,2", .clause("store=1,,2")),
            ("=1", .clause("=1")), ("shelf=a/b", .clause("shelf=a/b")),
            ("all store=1", .clause("all")), ("store=1 store=2", .keyTwice("store")),
            (
                "store=" + String(repeating: "1", count: 5000),
                .tooLong(bytes: 5006, bytesMax: Selector.textBytesMax)
            ),
        ])
    func refusal(text: String, expected: SelectorError) {
        #expect(throws: expected) { try Selector(text) }
    }

    @Test(
        "A selector's text reads back as the same selector",
        arguments: ["all", "store=1,2", "store=1 kind=a,b shelf=cold"])
    func text(text: String) throws {
        let selector = try Selector(text)
        #expect(try Selector(selector.text) == selector)
        #expect(selector.text == text)
    }

    @Test(
        "A label is key=value, and neither store nor device",
        arguments: [
            ("kind", false), ("kind=", false), ("=x", false), ("kind=a b", false),
            ("store=1", false), ("device=1", false), ("kind=a=b", false), ("kind=a.b_c-1", true),
            ("k=" + String(repeating: "v", count: 64), true),
            ("k=" + String(repeating: "v", count: 65), false),
        ])
    func labels(text: String, isLabel: Bool) {
        #expect(((try? DeviceLabel(text)) != nil) == isLabel)  // only whether it reads matters
    }
}
