package enum PowerSource: WireEnum {
    case unknown
    case mains
    case battery
    /// A value of a later version.
    case unrecognized(Int32)

    package init(rawValue: Int32) {
        self =
            switch rawValue {
            case 0: .unknown
            case 1: .mains
            case 2: .battery
            default: .unrecognized(rawValue)
            }
    }

    package var rawValue: Int32 {
        switch self {
        case .unknown: 0
        case .mains: 1
        case .battery: 2
        case .unrecognized(let value): value
        }
    }
}

package enum Contact: WireEnum {
    case unspecified
    /// The connection stays open; the hub pushes.
    case stay
    /// The device leaves with Goodbye and comes back.
    case visit
    /// A value of a later version.
    case unrecognized(Int32)

    package init(rawValue: Int32) {
        self =
            switch rawValue {
            case 0: .unspecified
            case 1: .stay
            case 2: .visit
            default: .unrecognized(rawValue)
            }
    }

    package var rawValue: Int32 {
        switch self {
        case .unspecified: 0
        case .stay: 1
        case .visit: 2
        case .unrecognized(let value): value
        }
    }
}

/// 6, device to hub: at every connection, and again when something of it changes. Answered by DesiredState.
package struct Register: WireMessage, Equatable, Sendable {
    /// "x86_64", "aarch64".
    package var architecture: String = ""
    /// "avx2", "neon", "dotprod".
    package var cpuFeatures: [String] = []
    package var cores: UInt32 = 0
    package var memoryTotalBytes: UInt64 = 0
    package var memoryAvailableBytes: UInt64 = 0
    package var modelMemoryBudgetBytes: UInt64 = 0
    /// Else derived from memory_total_bytes.
    package var modelMemoryBudgetSetByOperator: Bool = false
    package var flashFreeBytes: UInt64 = 0
    /// What packages may require: "lstm-int8-v2".
    package var runtimeFeatures: [String] = []
    /// Measured: one LSTM-16 forecast; 0 when not measured.
    package var int8Microseconds: UInt32 = 0
    package var powerSource: PowerSource = .unknown
    package var contact: Contact = .unspecified
    package var agentVersion: String = ""
    /// Absent: none.
    package var running: RunningPackage?
    /// "key=value", from the device's own configuration.
    package var labels: [String] = []
    /// Absent: nothing timed yet.
    package var measured: Measurement?
    /// 1 to 100, an empty one counts as 1; 0: none, or not known.
    package var batteryPercent: UInt32 = 0
    /// Of the hottest thermal zone; 0: not known.
    package var temperatureKelvin: UInt32 = 0
    /// The one of the last DesiredState that brought one; 0: none.
    package var contactNumber: UInt64 = 0
    /// 8 bytes that tell this hardware from another; empty: it has nothing to tell it by.
    package var hardware: [UInt8] = []
    /// Absent: none.
    package var held: HeldMetadata?

    package init() {}

    package init(
        architecture: String = "", cpuFeatures: [String] = [], cores: UInt32 = 0,
        memoryTotalBytes: UInt64 = 0, memoryAvailableBytes: UInt64 = 0,
        modelMemoryBudgetBytes: UInt64 = 0, modelMemoryBudgetSetByOperator: Bool = false,
        flashFreeBytes: UInt64 = 0, runtimeFeatures: [String] = [], int8Microseconds: UInt32 = 0,
        powerSource: PowerSource = .unknown, contact: Contact = .unspecified,
        agentVersion: String = "", running: RunningPackage? = nil, labels: [String] = [],
        measured: Measurement? = nil, batteryPercent: UInt32 = 0, temperatureKelvin: UInt32 = 0,
        contactNumber: UInt64 = 0, hardware: [UInt8] = [], held: HeldMetadata? = nil
    ) {
        self.architecture = architecture
        self.cpuFeatures = cpuFeatures
        self.cores = cores
        self.memoryTotalBytes = memoryTotalBytes
        self.memoryAvailableBytes = memoryAvailableBytes
        self.modelMemoryBudgetBytes = modelMemoryBudgetBytes
        self.modelMemoryBudgetSetByOperator = modelMemoryBudgetSetByOperator
        self.flashFreeBytes = flashFreeBytes
        self.runtimeFeatures = runtimeFeatures
        self.int8Microseconds = int8Microseconds
        self.powerSource = powerSource
        self.contact = contact
        self.agentVersion = agentVersion
        self.running = running
        self.labels = labels
        self.measured = measured
        self.batteryPercent = batteryPercent
        self.temperatureKelvin = temperatureKelvin
        self.contactNumber = contactNumber
        self.hardware = hardware
        self.held = held
    }

    package func encode(to writer: inout WireWriter) {
        writer.string(1, architecture)
        writer.repeated(2, cpuFeatures)
        writer.uint32(3, cores)
        writer.uint64(4, memoryTotalBytes)
        writer.uint64(5, memoryAvailableBytes)
        writer.uint64(6, modelMemoryBudgetBytes)
        writer.bool(7, modelMemoryBudgetSetByOperator)
        writer.uint64(8, flashFreeBytes)
        writer.repeated(9, runtimeFeatures)
        writer.uint32(10, int8Microseconds)
        writer.enumeration(11, powerSource)
        writer.enumeration(12, contact)
        writer.string(13, agentVersion)
        writer.message(14, running)
        writer.repeated(15, labels)
        writer.message(16, measured)
        writer.uint32(17, batteryPercent)
        writer.uint32(18, temperatureKelvin)
        writer.uint64(19, contactNumber)
        writer.bytes(20, hardware)
        writer.message(21, held)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: architecture = try reader.string(bytesMax: Limit.nameBytes)
        case 2:
            try reader.append(
                to: &cpuFeatures, bytesMax: Limit.nameBytes, countMax: Limit.featuresCount)
        case 3: cores = try reader.uint32()
        case 4: memoryTotalBytes = try reader.uint64()
        case 5: memoryAvailableBytes = try reader.uint64()
        case 6: modelMemoryBudgetBytes = try reader.uint64()
        case 7: modelMemoryBudgetSetByOperator = try reader.bool()
        case 8: flashFreeBytes = try reader.uint64()
        case 9:
            try reader.append(
                to: &runtimeFeatures, bytesMax: Limit.nameBytes, countMax: Limit.featuresCount)
        case 10: int8Microseconds = try reader.uint32()
        case 11: powerSource = try reader.enumeration()
        case 12: contact = try reader.enumeration()
        case 13: agentVersion = try reader.string(bytesMax: Limit.textBytes)
        case 14: try reader.merge(into: &running)
        case 15:
            try reader.append(to: &labels, bytesMax: Limit.labelBytes, countMax: Limit.labelsCount)
        case 16: try reader.merge(into: &measured)
        case 17: batteryPercent = try reader.uint32()
        case 18: temperatureKelvin = try reader.uint32()
        case 19: contactNumber = try reader.uint64()
        case 20: hardware = try reader.bytes(bytesMax: Limit.hardwareBytes)
        case 21: try reader.merge(into: &held)
        default: try reader.skip()
        }
    }
}

/// Which update metadata a device trusts, as versions; 0: none.
package struct HeldMetadata: WireMessage, Equatable, Sendable {
    package var root: UInt64 = 0
    package var timestamp: UInt64 = 0
    package var snapshot: UInt64 = 0
    package var targets: UInt64 = 0
    /// Half of its life is over, or it has none.
    package var wantsTimestamp: Bool = false

    package init() {}

    package init(
        root: UInt64 = 0, timestamp: UInt64 = 0, snapshot: UInt64 = 0, targets: UInt64 = 0,
        wantsTimestamp: Bool = false
    ) {
        self.root = root
        self.timestamp = timestamp
        self.snapshot = snapshot
        self.targets = targets
        self.wantsTimestamp = wantsTimestamp
    }

    package func encode(to writer: inout WireWriter) {
        writer.uint64(1, root)
        writer.uint64(2, timestamp)
        writer.uint64(3, snapshot)
        writer.uint64(4, targets)
        writer.bool(5, wantsTimestamp)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: root = try reader.uint64()
        case 2: timestamp = try reader.uint64()
        case 3: snapshot = try reader.uint64()
        case 4: targets = try reader.uint64()
        case 5: wantsTimestamp = try reader.bool()
        default: try reader.skip()
        }
    }
}

/// What a device has timed on itself. Times are nanoseconds of one forecast, 0 when not measured; a batch is 50 series.
package struct Measurement: WireMessage, Equatable, Sendable {
    /// The instructions its kernels use: "plain", "avx2", "neon".
    package var kernels: String = ""
    /// The reference LSTM-16, 14 days of one input, the network alone.
    package var smallNanoseconds: UInt32 = 0
    package var smallBatchNanoseconds: UInt32 = 0
    /// The reference LSTM-64, likewise.
    package var largeNanoseconds: UInt32 = 0
    package var largeBatchNanoseconds: UInt32 = 0
    /// What the following is about: SHA-256 of the package file; empty: no package.
    package var packageDigest: [UInt8] = []
    /// Features included.
    package var packageNanoseconds: UInt32 = 0
    package var packageBatchNanoseconds: UInt32 = 0
    /// Used.
    package var arenaBytes: UInt64 = 0
    /// Of the whole agent, resident.
    package var peakMemoryBytes: UInt64 = 0
    /// Energy of one forecast, of all the device meanwhile; 0 where its system does not say.
    package var packageNanojoules: UInt32 = 0

    package init() {}

    package init(
        kernels: String = "", smallNanoseconds: UInt32 = 0, smallBatchNanoseconds: UInt32 = 0,
        largeNanoseconds: UInt32 = 0, largeBatchNanoseconds: UInt32 = 0,
        packageDigest: [UInt8] = [], packageNanoseconds: UInt32 = 0,
        packageBatchNanoseconds: UInt32 = 0, arenaBytes: UInt64 = 0, peakMemoryBytes: UInt64 = 0,
        packageNanojoules: UInt32 = 0
    ) {
        self.kernels = kernels
        self.smallNanoseconds = smallNanoseconds
        self.smallBatchNanoseconds = smallBatchNanoseconds
        self.largeNanoseconds = largeNanoseconds
        self.largeBatchNanoseconds = largeBatchNanoseconds
        self.packageDigest = packageDigest
        self.packageNanoseconds = packageNanoseconds
        self.packageBatchNanoseconds = packageBatchNanoseconds
        self.arenaBytes = arenaBytes
        self.peakMemoryBytes = peakMemoryBytes
        self.packageNanojoules = packageNanojoules
    }

    package func encode(to writer: inout WireWriter) {
        writer.string(1, kernels)
        writer.uint32(2, smallNanoseconds)
        writer.uint32(3, smallBatchNanoseconds)
        writer.uint32(4, largeNanoseconds)
        writer.uint32(5, largeBatchNanoseconds)
        writer.bytes(6, packageDigest)
        writer.uint32(7, packageNanoseconds)
        writer.uint32(8, packageBatchNanoseconds)
        writer.uint64(9, arenaBytes)
        writer.uint64(10, peakMemoryBytes)
        writer.uint32(11, packageNanojoules)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: kernels = try reader.string(bytesMax: Limit.nameBytes)
        case 2: smallNanoseconds = try reader.uint32()
        case 3: smallBatchNanoseconds = try reader.uint32()
        case 4: largeNanoseconds = try reader.uint32()
        case 5: largeBatchNanoseconds = try reader.uint32()
        case 6: packageDigest = try reader.bytes(bytesMax: Limit.digestBytes)
        case 7: packageNanoseconds = try reader.uint32()
        case 8: packageBatchNanoseconds = try reader.uint32()
        case 9: arenaBytes = try reader.uint64()
        case 10: peakMemoryBytes = try reader.uint64()
        case 11: packageNanojoules = try reader.uint32()
        default: try reader.skip()
        }
    }
}

package struct RunningPackage: WireMessage, Equatable, Sendable {
    /// SHA-256 of the package file.
    package var digest: [UInt8] = []
    package var release: UInt64 = 0
    /// As computed and used on the device.
    package var arenaBytes: UInt64 = 0

    package init() {}

    package init(
        digest: [UInt8] = [], release: UInt64 = 0, arenaBytes: UInt64 = 0
    ) {
        self.digest = digest
        self.release = release
        self.arenaBytes = arenaBytes
    }

    package func encode(to writer: inout WireWriter) {
        writer.bytes(1, digest)
        writer.uint64(2, release)
        writer.uint64(3, arenaBytes)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: digest = try reader.bytes(bytesMax: Limit.digestBytes)
        case 2: release = try reader.uint64()
        case 3: arenaBytes = try reader.uint64()
        default: try reader.skip()
        }
    }
}

package enum Desire: WireEnum {
    case unspecified
    /// Nothing is assigned.
    case stayAsYouAre
    case run
    /// Something is assigned, and nothing of it fits.
    case noFit
    /// `digest` is not wanted any more: return to what ran before it (SPEC 8.5).
    case goBack
    /// A value of a later version.
    case unrecognized(Int32)

    package init(rawValue: Int32) {
        self =
            switch rawValue {
            case 0: .unspecified
            case 1: .stayAsYouAre
            case 2: .run
            case 3: .noFit
            case 4: .goBack
            default: .unrecognized(rawValue)
            }
    }

    package var rawValue: Int32 {
        switch self {
        case .unspecified: 0
        case .stayAsYouAre: 1
        case .run: 2
        case .noFit: 3
        case .goBack: 4
        case .unrecognized(let value): value
        }
    }
}

/// 7, hub to device.
package struct DesiredState: WireMessage, Equatable, Sendable {
    package var desire: Desire = .unspecified
    /// Why this package, or why none.
    package var reason: String = ""
    /// 0: none.
    package var rollout: UInt64 = 0
    /// The highest record sequence of this device that the hub has; 0: none.
    package var storedThroughSequence: UInt64 = 0
    /// Never given before; 0 where it answers no Register.
    package var contactNumber: UInt64 = 0
    /// RUN: 0 to 28 business days beside the active package first; 0: active once proved.
    package var trialDays: UInt32 = 0
    /// RUN: of one forecast, as the device measures it; 0: any.
    package var latencyMaxNs: UInt64 = 0
    /// RUN: of this package that may be fetched; 0: any.
    package var bytesMax: UInt64 = 0
    /// RUN: minute of the day in the store's time, 0 to 1,439: activated only from then.
    package var windowFrom: UInt32 = 0
    /// RUN: to before then; before `windowFrom`: past midnight; the same: at any time.
    package var windowTo: UInt32 = 0
    /// GO_BACK: SHA-256 of the package that is taken back. RUN: of the package that `target` names.
    package var digest: [UInt8] = []
    /// RUN: the package's path in the repository, as its metadata writes it.
    package var target: String = ""
    /// RUN: the package may come as this instead; absent: whole alone.
    package var delta: DeltaOffer?
    /// RUN: of this package that may be fetched over a link that is paid for by the byte; 0: what the device itself allows.
    package var meteredBytesMax: UInt64 = 0

    package init() {}

    package init(
        desire: Desire = .unspecified, reason: String = "", rollout: UInt64 = 0,
        storedThroughSequence: UInt64 = 0,
        contactNumber: UInt64 = 0, trialDays: UInt32 = 0, latencyMaxNs: UInt64 = 0,
        bytesMax: UInt64 = 0, windowFrom: UInt32 = 0, windowTo: UInt32 = 0, digest: [UInt8] = [],
        target: String = "", delta: DeltaOffer? = nil, meteredBytesMax: UInt64 = 0
    ) {
        self.desire = desire
        self.reason = reason
        self.rollout = rollout
        self.storedThroughSequence = storedThroughSequence
        self.contactNumber = contactNumber
        self.trialDays = trialDays
        self.latencyMaxNs = latencyMaxNs
        self.bytesMax = bytesMax
        self.windowFrom = windowFrom
        self.windowTo = windowTo
        self.digest = digest
        self.target = target
        self.delta = delta
        self.meteredBytesMax = meteredBytesMax
    }

    package func encode(to writer: inout WireWriter) {
        writer.enumeration(1, desire)
        writer.string(4, reason)
        writer.uint64(5, rollout)
        writer.uint64(6, storedThroughSequence)
        writer.uint64(7, contactNumber)
        writer.uint32(20, trialDays)
        writer.uint64(21, latencyMaxNs)
        writer.uint64(22, bytesMax)
        writer.uint32(23, windowFrom)
        writer.uint32(24, windowTo)
        writer.bytes(25, digest)
        writer.string(30, target)
        writer.message(40, delta)
        writer.uint64(41, meteredBytesMax)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: desire = try reader.enumeration()
        case 4: reason = try reader.string(bytesMax: Limit.textBytes)
        case 5: rollout = try reader.uint64()
        case 6: storedThroughSequence = try reader.uint64()
        case 7: contactNumber = try reader.uint64()
        case 20: trialDays = try reader.uint32()
        case 21: latencyMaxNs = try reader.uint64()
        case 22: bytesMax = try reader.uint64()
        case 23: windowFrom = try reader.uint32()
        case 24: windowTo = try reader.uint32()
        case 25: digest = try reader.bytes(bytesMax: Limit.digestBytes)
        case 30: target = try reader.string(bytesMax: Limit.targetBytes)
        case 40: try reader.merge(into: &delta)
        case 41: meteredBytesMax = try reader.uint64()
        default: try reader.skip()
        }
    }
}

/// 40, hub to device: one file of the repository's metadata, ahead of the DesiredState that it is for.
package struct Metadata: WireMessage, Equatable, Sendable {
    /// As the repository names it: "root", "timestamp", "snapshot", "targets", or a delegated one.
    package var role: String = ""
    package var version: UInt64 = 0
    /// The file, byte for byte as signed.
    package var content: [UInt8] = []

    package init() {}

    package init(
        role: String = "", version: UInt64 = 0, content: [UInt8] = []
    ) {
        self.role = role
        self.version = version
        self.content = content
    }

    package func encode(to writer: inout WireWriter) {
        writer.string(1, role)
        writer.uint64(2, version)
        writer.bytes(3, content)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: role = try reader.string(bytesMax: Limit.nameBytes)
        case 2: version = try reader.uint64()
        case 3: content = try reader.bytes(bytesMax: Limit.metadataBytes)
        default: try reader.skip()
        }
    }
}

/// 8, device to hub. Answered by Chunk.
package struct Fetch: WireMessage, Equatable, Sendable {
    package var digest: [UInt8] = []
    package var offset: UInt64 = 0
    package var bytesMax: UInt32 = 0

    package init() {}

    package init(
        digest: [UInt8] = [], offset: UInt64 = 0, bytesMax: UInt32 = 0
    ) {
        self.digest = digest
        self.offset = offset
        self.bytesMax = bytesMax
    }

    package func encode(to writer: inout WireWriter) {
        writer.bytes(1, digest)
        writer.uint64(2, offset)
        writer.uint32(3, bytesMax)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: digest = try reader.bytes(bytesMax: Limit.digestBytes)
        case 2: offset = try reader.uint64()
        case 3: bytesMax = try reader.uint32()
        default: try reader.skip()
        }
    }
}

/// 9, hub to device.
package struct Chunk: WireMessage, Equatable, Sendable {
    package var digest: [UInt8] = []
    package var offset: UInt64 = 0
    /// Empty only at the end.
    package var content: [UInt8] = []
    package var packageBytes: UInt64 = 0

    package init() {}

    package init(
        digest: [UInt8] = [], offset: UInt64 = 0, content: [UInt8] = [], packageBytes: UInt64 = 0
    ) {
        self.digest = digest
        self.offset = offset
        self.content = content
        self.packageBytes = packageBytes
    }

    package func encode(to writer: inout WireWriter) {
        writer.bytes(1, digest)
        writer.uint64(2, offset)
        writer.bytes(3, content)
        writer.uint64(4, packageBytes)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: digest = try reader.bytes(bytesMax: Limit.digestBytes)
        case 2: offset = try reader.uint64()
        case 3: content = try reader.bytes(bytesMax: Limit.chunkContentBytes)
        case 4: packageBytes = try reader.uint64()
        default: try reader.skip()
        }
    }
}

package enum PackageOutcome: WireEnum {
    case unspecified
    case active
    /// Not activated; the device runs on as before.
    case refused
    case rolledBack
    /// Proved, and forecasting beside the active package now.
    case trial
    /// Nobody the device trusts vouches for it now: nothing of it was fetched. Said of the metadata, not of the package.
    case untrusted
    /// On its way; the reason says what it waits for, or why it comes whole.
    case fetching
    /// A value of a later version.
    case unrecognized(Int32)

    package init(rawValue: Int32) {
        self =
            switch rawValue {
            case 0: .unspecified
            case 1: .active
            case 2: .refused
            case 3: .rolledBack
            case 4: .trial
            case 5: .untrusted
            case 6: .fetching
            default: .unrecognized(rawValue)
            }
    }

    package var rawValue: Int32 {
        switch self {
        case .unspecified: 0
        case .active: 1
        case .refused: 2
        case .rolledBack: 3
        case .trial: 4
        case .untrusted: 5
        case .fetching: 6
        case .unrecognized(let value): value
        }
    }
}

/// 10, device to hub: what became of a desired package, or why the device stays as it is. Answered by Noted.
package struct PackageReport: WireMessage, Equatable, Sendable {
    package var digest: [UInt8] = []
    package var outcome: PackageOutcome = .unspecified
    package var reason: String = ""
    /// Used.
    package var arenaBytes: UInt64 = 0
    /// What runs now; absent: none.
    package var running: RunningPackage?

    package init() {}

    package init(
        digest: [UInt8] = [], outcome: PackageOutcome = .unspecified, reason: String = "",
        arenaBytes: UInt64 = 0, running: RunningPackage? = nil
    ) {
        self.digest = digest
        self.outcome = outcome
        self.reason = reason
        self.arenaBytes = arenaBytes
        self.running = running
    }

    package func encode(to writer: inout WireWriter) {
        writer.bytes(1, digest)
        writer.enumeration(2, outcome)
        writer.string(3, reason)
        writer.uint64(4, arenaBytes)
        writer.message(5, running)
    }

    package mutating func decode(field: Int, from reader: inout WireReader) throws(WireError) {
        switch field {
        case 1: digest = try reader.bytes(bytesMax: Limit.digestBytes)
        case 2: outcome = try reader.enumeration()
        case 3: reason = try reader.string(bytesMax: Limit.textBytes)
        case 4: arenaBytes = try reader.uint64()
        case 5: try reader.merge(into: &running)
        default: try reader.skip()
        }
    }
}
