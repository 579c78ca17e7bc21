import AgentCore
import CPosix
import Forecasting
import ModelPackage
package import SyncProtocol

/// The machine as Register describes it.
package struct Machine: Sendable {
    /// Of this program, in Hello, Register and `--version`.
    package static let agentVersion = "0.1.0"
    /// Of what this program keeps; an agent of a lower one cannot read it. A package refuses by it to go back.
    package static let stateVersion = Schema.migrations.count

    /// Everything but what `Register` says of the running package, contact, budget and labels.
    /// - Parameter directory: whose file system keeps the packages.
    package static func describe(directory: String) -> Register {
        var register = Register()
        register.architecture = String(cString: shelfcast_architecture())
        register.cpuFeatures = Capabilities.cpuFeatures(
            cpuinfo: Files.read("/proc/cpuinfo", bytesMax: 1 << 22) ?? [])
        register.cores = UInt32(max(1, shelfcast_cores()))
        register.memoryTotalBytes = UInt64(max(0, shelfcast_memory_total()))
        register.runtimeFeatures = Engine.runtimeFeatures
        register.agentVersion = agentVersion
        register.hardware = hardware()
        look(at: &register, directory: directory)
        return register
    }

    /// What tells this hardware from other hardware with the same image, as the first 8 bytes of a SHA-256: its
    /// serial number where the device tree has one, and the addresses that its network interfaces were made with. Empty where
    /// there are none. Neither secret nor needed: it makes copies known faster (SPEC 7.4).
    /// - Parameter root: in front of `/proc` and `/sys`.
    package static func hardware(in root: String = "") -> [UInt8] {
        var names: [[UInt8]] = []
        let serial = Files.read(root + "/proc/device-tree/serial-number", bytesMax: 256) ?? []
        if !serial.isEmpty { names.append(serial) }
        let folder = root + "/sys/class/net"
        for name in Files.names(in: folder).prefix(64) {
            let interface = folder + "/" + name
            // 0: made with it; others are drawn or set anew at every start.
            let kind = Files.read(interface + "/addr_assign_type", bytesMax: 16) ?? []
            guard kind.first == UInt8(ascii: "0"), shelfcast_file_bytes(interface + "/device") >= 0,
                let address = Files.read(interface + "/address", bytesMax: 64), !address.isEmpty
            else { continue }
            names.append(address)
        }
        guard !names.isEmpty else { return [] }
        names.sort { $0.lexicographicallyPrecedes($1) }
        var text: [UInt8] = []
        for name in names { text += name + [0] }
        return [UInt8](Crypto.sha256(text).prefix(8))
    }

    /// Reads again what changes while the machine runs: free memory and flash, power, temperature.
    static func look(at register: inout Register, directory: String) {
        register.memoryAvailableBytes = Capabilities.memoryAvailable(
            meminfo: Files.read("/proc/meminfo", bytesMax: 65_536) ?? [])
        register.flashFreeBytes = UInt64(max(0, shelfcast_free_bytes(directory)))
        (register.powerSource, register.batteryPercent) = power()
        register.temperatureKelvin = temperature()
    }

    /// Mains when a supply says it is connected, battery when there is only one of those, unknown where
    /// the system names no supply at all. The percentage is that of the emptiest battery of the machine itself (not of a mouse).
    /// - Parameter folder: laid out as the kernel's `/sys/class/power_supply`.
    package static func power(
        in folder: String = "/sys/class/power_supply"
    ) -> (source: PowerSource, batteryPercent: UInt32) {
        var source = PowerSource.unknown
        var percent: UInt32 = 0
        for name in Files.names(in: folder) {
            let supply = folder + "/" + name
            func file(_ name: String) -> [UInt8] {
                Files.read(supply + "/" + name, bytesMax: 64) ?? []
            }
            if file("type").starts(with: "Battery".utf8) {
                guard !file("scope").starts(with: "Device".utf8) else { continue }
                if source == .unknown { source = .battery }
                if let level = Capabilities.integer(file("capacity")) {
                    let level = UInt32(min(max(level, 1), 100))
                    percent = percent == 0 ? level : min(percent, level)
                }
            } else if file("online").first == UInt8(ascii: "1") {
                source = .mains
            }
        }
        return (source, percent)
    }

    /// Of the hottest thermal zone, in kelvin; 0 where there is none. What no machine survives is a sensor that is not there.
    /// - Parameter folder: laid out as the kernel's `/sys/class/thermal`.
    package static func temperature(in folder: String = "/sys/class/thermal") -> UInt32 {
        var hottest: Int64?
        for name in Files.names(in: folder) where name.utf8.starts(with: "thermal_zone".utf8) {
            let file = Files.read(folder + "/" + name + "/temp", bytesMax: 64) ?? []
            guard let value = Capabilities.integer(file), value > -100_000, value < 200_000
            else { continue }
            hottest = max(hottest ?? value, value)
        }
        return hottest.map { UInt32(273 + ($0 + ($0 < 0 ? -500 : 500)) / 1000) } ?? 0
    }
}
