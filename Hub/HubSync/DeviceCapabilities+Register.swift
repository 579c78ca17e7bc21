package import HubCore
package import SyncProtocol

extension DeviceCapabilities {
    /// What the wire says, as the hub keeps it. Values of later versions count as unknown.
    package init(_ register: Register) {
        self.init()
        architecture = register.architecture
        cpuFeatures = register.cpuFeatures
        cores = Int(register.cores)
        memoryTotalBytes = register.memoryTotalBytes
        memoryAvailableBytes = register.memoryAvailableBytes
        modelMemoryBudgetBytes = register.modelMemoryBudgetBytes
        modelMemoryBudgetSetByOperator = register.modelMemoryBudgetSetByOperator
        flashFreeBytes = register.flashFreeBytes
        runtimeFeatures = register.runtimeFeatures
        int8Microseconds = Int(register.int8Microseconds)
        powerSource =
            switch register.powerSource {
            case .mains: .mains
            case .battery: .battery
            case .unknown, .unrecognized: .unknown
            }
        batteryPercent =
            (1...100).contains(register.batteryPercent)
            ? Int(register.batteryPercent) : nil
        temperatureCelsius =
            (1...10_000).contains(register.temperatureKelvin)
            ? Int(register.temperatureKelvin) - 273 : nil
        contact =
            switch register.contact {
            case .stay: .stay
            case .visit: .visit
            case .unspecified, .unrecognized: .unspecified
            }
        agentVersion = register.agentVersion
        measured = register.measured.map(DeviceMeasurement.init)
    }

    /// What an operator hears of as a low battery.
    static let lowBatteryPercent = 20

    /// The device's own labels; those that are none come back as texts, with the reason.
    static func labels(of register: Register) -> (labels: [DeviceLabel], faults: [String]) {
        var labels: [DeviceLabel] = []
        var faults: [String] = []
        for text in register.labels {
            do throws(LabelError) {
                let label = try DeviceLabel(text)
                if labels.count == DeviceLabel.countMax {
                    faults.append("more than \(DeviceLabel.countMax) labels")
                    break
                }
                if !labels.contains(where: { $0.key == label.key }) { labels.append(label) }
            } catch {
                faults.append("\(error)")
            }
        }
        return (labels, faults)
    }

    /// What an operator would want to know has changed, one phrase each. Figures that differ at every
    /// contact (memory available, flash free) and the budget, which the store notes, are left out.
    func changes(since before: DeviceCapabilities?) -> [String] {
        guard let before else {
            return [
                "\(architecture), \(cores) core(s), \(memoryTotalBytes) bytes of memory,"
                    + " agent \(agentVersion)"
            ]
        }
        var changes: [String] = []
        func compare<Value: Equatable>(_ name: String, _ value: (DeviceCapabilities) -> Value) {
            let (old, new) = (value(before), value(self))
            if old != new { changes.append("\(name) \(new) (was \(old))") }
        }
        compare("architecture") { $0.architecture }
        compare("CPU features") { $0.cpuFeatures.joined(separator: "+") }
        compare("cores") { $0.cores }
        compare("memory") { $0.memoryTotalBytes }
        compare("runtime features") { $0.runtimeFeatures.joined(separator: "+") }
        compare("power source") { $0.powerSource.rawValue }
        compare("battery") { can in
            can.batteryPercent.map { $0 <= Self.lowBatteryPercent ? "low" : "charged" } ?? "none"
        }
        compare("contact") { $0.contact.rawValue }
        compare("agent") { $0.agentVersion }
        compare("kernels") { $0.measured?.kernels ?? "unknown" }
        return changes
    }
}

extension DeviceMeasurement {
    init(_ measured: Measurement) {
        self.init()
        kernels = measured.kernels
        smallNanoseconds = Int(measured.smallNanoseconds)
        smallBatchNanoseconds = Int(measured.smallBatchNanoseconds)
        largeNanoseconds = Int(measured.largeNanoseconds)
        largeBatchNanoseconds = Int(measured.largeBatchNanoseconds)
        peakMemoryBytes = measured.peakMemoryBytes
        guard !measured.packageDigest.isEmpty else { return }
        packages = [
            Package(
                digest: Self.text(digest: measured.packageDigest),
                nanoseconds: Int(measured.packageNanoseconds),
                batchNanoseconds: Int(measured.packageBatchNanoseconds),
                arenaBytes: measured.arenaBytes,
                nanojoules: measured.packageNanojoules == 0 ? nil : Int(measured.packageNanojoules))
        ]
    }
}

extension HubCore.RunningPackage {
    init(_ running: SyncProtocol.RunningPackage) {
        self.init(
            digest: running.digest, release: running.release, arenaBytes: running.arenaBytes)
    }
}
