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
        var can = DeviceCapabilities()
        can.architecture = "aarch64"
        can.cpuFeatures = ["neon", "dotprod"]
        can.runtimeFeatures = ["lstm-int8-v2"]
        can.cores = 4
        can.memoryTotalBytes = 64 << 20
        can.modelMemoryBudgetBytes = 20_480
        can.powerSource = .battery
        can.batteryPercent = 35
        can.temperatureCelsius = -4
        can.contact = .visit
        can.agentVersion = "0.10.1-rc1"
        device.capabilities = can
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
            ("arch=aarch64", true), ("arch=x86_64,armv7l", false), ("cpu=dotprod", true),
            ("cpu=avx2", false), ("feature=lstm-int8-v2", true), ("power=battery", true),
            ("power=mains", false), ("contact=visit", true), ("cores=4", true), ("cores>4", false),
            ("memory=64MiB", true), ("memory>=64MiB", true), ("memory<65536KiB", false),
            ("memory>32MiB memory<1GiB", true), ("budget<=20KiB", true), ("budget<20480", false),
            ("battery<40", true), ("battery>=36", false), ("temperature<0", true),
            ("temperature>-4", false), ("version>=0.10", true), ("version<0.9.5", false),
            ("version=0.10.1", true),
            // It has not said how much flash is free: 0 bytes.
            ("flash<1MiB", true),
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
            ("all store=1", .clause("all")), ("battery<10,20", .clause("battery<10,20")),
            ("battery<", .clause("battery<")), ("shelf<3", .notOrdered("shelf")),
            ("arch>x", .notOrdered("arch")),
            (
                "memory=lots",
                .value(
                    key: "memory", value: "lots",
                    wanted: "bytes, like 20480, 20KiB, 64MiB or 1GiB")
            ),
            (
                "memory=99999999999999GiB",
                .value(
                    key: "memory", value: "99999999999999GiB",
                    wanted: "bytes, like 20480, 20KiB, 64MiB or 1GiB")
            ),
            (
                "version=1.2.3.4",
                .value(
                    key: "version", value: "1.2.3.4",
                    wanted: "a version, like 0.2.0")
            ),
            (
                "power=coal",
                .value(
                    key: "power", value: "coal",
                    wanted: "mains, battery or unknown")
            ),
            ("battery<20 battery<30", .keyTwice("battery")),
            ("store=1 store=2", .keyTwice("store")),
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
        arguments: [
            "all", "store=1,2", "store=1 kind=a,b shelf=cold",
            "memory>=64MiB memory<1GiB cores=2,4",
            "version<=0.2.0 temperature>-5",
        ])
    func text(text: String) throws {
        let selector = try Selector(text)
        #expect(try Selector(selector.text) == selector)
        #expect(selector.text == text)
    }

    @Test("What a device has not said satisfies no clause")
    func silent() throws {
        var device = try device()
        device.capabilities?.batteryPercent = nil
        for text in ["battery<101", "battery>=0"] {
            #expect(try !Selector(text).matches(device))
        }
        device.capabilities = nil
        for text in ["cores>=0", "arch=aarch64"] { #expect(try !Selector(text).matches(device)) }
    }

    @Test(
        "Stored before a key became a capability, a selector still reads, and finds nothing by it")
    func stored() throws {
        let selector = try Selector(stored: "version=beta kind=scanner")
        #expect(selector.text == "version=beta kind=scanner")
        #expect(try !selector.matches(device()))
        #expect(try DeviceLabel(stored: "version=beta").value == "beta")
        #expect(throws: LabelError.malformed("version")) { try DeviceLabel(stored: "version") }
    }

    @Test("What changes by itself is named, for rollouts to refuse it")
    func passing() throws {
        #expect(try Selector("battery<20 arch=x").passingKeys == ["battery"])
        #expect(try Selector("memory<20 kind=x").passingKeys.isEmpty)
    }

    @Test(
        "A label is key=value, and no key that selectors give a meaning",
        arguments: [
            ("kind", false), ("kind=", false), ("=x", false), ("kind=a b", false),
            ("store=1", false), ("device=1", false), ("battery=1", false), ("arch=arm", false),
            ("kind=a=b", false), ("kind=a.b_c-1", true),
            ("k=" + String(repeating: "v", count: 64), true),
            ("k=" + String(repeating: "v", count: 65), false),
        ])
    func labels(text: String, isLabel: Bool) {
        #expect(((try? DeviceLabel(text)) != nil) == isLabel)  // only whether it reads matters
    }
}
