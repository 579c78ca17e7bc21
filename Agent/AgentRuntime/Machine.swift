import AgentCore
import CPosix
import Forecasting
import ModelPackage
package import SyncProtocol

/// The machine as Register describes it.
package struct Machine: Sendable {
    /// Of this program, in Hello, Register and `--version`.
    package static let agentVersion = "0.1.0"

    /// Everything but what `Register` says of the running package, contact, budget and labels.
    /// - Parameter directory: whose file system keeps the packages.
    package static func describe(directory: String) -> Register {
        var register = Register()
        register.architecture = String(cString: shelfcast_architecture())
        register.cpuFeatures = Capabilities.cpuFeatures(
            cpuinfo: Files.read("/proc/cpuinfo", bytesMax: 1 << 22) ?? [])
        register.cores = UInt32(max(1, shelfcast_cores()))
        register.memoryTotalBytes = UInt64(max(0, shelfcast_memory_total()))
        register.memoryAvailableBytes = Capabilities.memoryAvailable(
            meminfo: Files.read("/proc/meminfo", bytesMax: 65_536) ?? [])
        register.flashFreeBytes = UInt64(max(0, shelfcast_free_bytes(directory)))
        register.runtimeFeatures = Engine.runtimeFeatures
        register.powerSource = powerSource()
        register.agentVersion = agentVersion
        return register
    }

    /// Mains when a supply says it is connected, battery when there is only one of those, unknown where
    /// the system names no supply at all.
    private static func powerSource() -> PowerSource {
        let folder = "/sys/class/power_supply"
        var source = PowerSource.unknown
        for name in Files.names(in: folder) {
            let type = Files.read("\(folder)/\(name)/type", bytesMax: 64) ?? []
            if type.starts(with: "Battery".utf8) {
                if source == .unknown { source = .battery }
            } else if let online = Files.read("\(folder)/\(name)/online", bytesMax: 16),
                online.first == UInt8(ascii: "1")
            {
                source = .mains
            }
        }
        return source
    }
}
