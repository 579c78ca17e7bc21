import AgentCore
import CPosix

/// The energy the machine says it takes. Everything on it counts, not the forecasts alone.
package struct EnergyMeter {
    package enum Source: Equatable, Sendable {
        /// Counters of microjoules (Linux, Documentation/power/powercap): those of whole processors.
        case rapl(zones: [String])
        /// The current draw from a battery that is being discharged (Linux, Documentation/ABI/testing/sysfs-class-power).
        case battery(folder: String)
        case notExposed

        package var name: String? {
            switch self {
            case .rapl: "RAPL"
            case .battery: "battery"
            case .notExposed: nil
            }
        }
    }

    package let source: Source
    private var microjoulesAtStart: [UInt64] = []
    private var start: Int64 = 0

    /// - Parameter root: where the kernel shows its classes of devices.
    package init(root: String = "/sys/class") {
        // "intel-rapl:0" is a processor, of AMD too; "intel-rapl:0:0" a part of one; "psys" counts them again.
        let folder = root + "/powercap"
        let zones = Files.names(in: folder).filter { name in
            name.utf8.starts(with: "intel-rapl:".utf8)
                && name.utf8.count(where: { $0 == UInt8(ascii: ":") }) == 1
                && Files.read("\(folder)/\(name)/name", bytesMax: 64)?.starts(with: "psys".utf8)
                    != true
        }.map { folder + "/" + $0 }
        // Most systems show the counters to root alone.
        if !zones.isEmpty, zones.allSatisfy({ Self.number($0 + "/energy_uj") != nil }) {
            source = .rapl(zones: zones)
            return
        }
        for name in Files.names(in: root + "/power_supply") {
            let battery = "\(root)/power_supply/\(name)"
            if Files.read(battery + "/type", bytesMax: 64)?.starts(with: "Battery".utf8) == true,
                Files.read(battery + "/status", bytesMax: 64)?.starts(with: "Discharging".utf8)
                    == true, Self.microwatts(battery) != nil
            {
                source = .battery(folder: battery)
                return
            }
        }
        source = .notExposed
    }

    package mutating func begin() {
        if case .rapl(let zones) = source {
            microjoulesAtStart = zones.map { Self.number($0 + "/energy_uj") ?? 0 }
        }
        start = shelfcast_steady_microseconds()
    }

    /// Since `begin`: nil where nothing is exposed, or not any more.
    package func nanojoules() -> UInt64? {
        switch source {
        case .notExposed: return nil
        case .rapl(let zones):
            var sum: UInt64 = 0
            for (index, zone) in zones.enumerated() {
                guard let now = Self.number(zone + "/energy_uj") else { return nil }
                let before = microjoulesAtStart[index]
                // A counter starts again at 0 after its largest value.
                let range = now < before ? Self.number(zone + "/max_energy_range_uj") ?? 0 : 0
                guard now >= before || range >= before else { return nil }
                sum &+= now &+ range &- before
            }
            return sum.multipliedReportingOverflow(by: 1000).partialValue
        case .battery(let folder):
            let microseconds = UInt64(max(0, shelfcast_steady_microseconds() - start))
            guard let power = Self.microwatts(folder) else { return nil }
            return power.multipliedReportingOverflow(by: microseconds).partialValue / 1000
        }
    }

    private static func microwatts(_ battery: String) -> UInt64? {
        if let power = number(battery + "/power_now") { return power }
        guard let current = number(battery + "/current_now"),
            let voltage = number(battery + "/voltage_now")
        else { return nil }
        // Microamperes times microvolts.
        return current.multipliedReportingOverflow(by: voltage).partialValue / 1_000_000
    }

    /// The first line of a file; some drivers show what a battery gives as less than nothing.
    private static func number(_ path: String) -> UInt64? {
        guard let bytes = Files.read(path, bytesMax: 64) else { return nil }
        var digits = bytes[...]
        if digits.first == UInt8(ascii: "-") { digits.removeFirst() }
        return decimal(digits.prefix { $0 != UInt8(ascii: "\n") })
    }
}
