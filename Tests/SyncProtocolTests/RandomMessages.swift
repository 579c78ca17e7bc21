import SyncProtocol
import TestSupport

/// Messages with every field drawn at random, from a seed. Not all of them keep SPEC 4.3: the codec
/// itself does not mind.
struct RandomMessages {
    private var random: SeededGenerator
    private var count = 0

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    /// The kinds in turn.
    mutating func next() -> Message {
        defer { count += 1 }
        let kind = MessageKind.allCases[count % MessageKind.allCases.count]
        switch kind {
        case .hello:
            return .hello(Hello(versionMin: u32(), versionMax: u32(), agentVersion: text()))
        case .welcome:
            return .welcome(
                Welcome(
                    version: u32(), hubTimeMs: Int64(bitPattern: u64()), frameBytesMax: u32(),
                    takesColumns: bool()))
        case .refusal:
            return .refusal(
                Refusal(
                    code: choice(), message: text(), retry: bool(), retryAfterSeconds: u32()))
        case .joinRequest: return .joinRequest(JoinRequest(secret: bytes(16), csrDer: bytes(300)))
        case .joinReply:
            return .joinReply(
                JoinReply(
                    deviceId: text(), certificateDer: bytes(300), caDer: bytes(300),
                    store: text(), approved: bool(), timeZone: text(),
                    root: bytes(600)))
        case .register: return .register(register())
        case .desiredState:
            return .desiredState(
                DesiredState(
                    desire: choice(), reason: text(),
                    rollout: u64(), storedThroughSequence: u64(),
                    contactNumber: u64(), trialDays: u32(), latencyMaxNs: u64(), bytesMax: u64(),
                    windowFrom: u32(), windowTo: u32(), digest: bytes(32), target: text(),
                    delta: bool()
                        ? DeltaOffer(digest: bytes(32), bytes: u32(), base: u64()) : nil,
                    meteredBytesMax: u64()))
        case .fetch: return .fetch(Fetch(digest: bytes(32), offset: u64(), bytesMax: u32()))
        case .chunk:
            return .chunk(
                Chunk(digest: bytes(32), offset: u64(), content: bytes(20_000), packageBytes: u64())
            )
        case .packageReport:
            return .packageReport(
                PackageReport(
                    digest: bytes(32), outcome: choice(), reason: text(), arenaBytes: u64(),
                    running: bool() ? running() : nil))
        case .noted: return .noted
        case .upload:
            return .upload(
                Upload(
                    firstSequence: u64(), records: list(40) { $0.record() },
                    items: list(9) { $0.text() }, foldedSales: u64()))
        case .uploadAck: return .uploadAck(UploadAck(throughSequence: u64()))
        case .contextRequest:
            return .contextRequest(
                ContextRequest(
                    knownRevision: u64(), takesColumns: bool(), inFull: bool(),
                    takesCalendar: bool(), calendarDigest: u32()))
        case .context:
            return .context(
                Context(
                    revision: u64(), items: list(30) { $0.text() }, days: list(9) { $0.storeDay() },
                    levels: list(30) {
                        ItemLevel(itemIndex: $0.u32(), levelUnits: $0.float(), day: $0.i32())
                    },
                    ownShare: float(), more: bool(), namedItems: list(9) { $0.text() },
                    calendar: bool()
                        ? CalendarOfStore(
                            digest: u32(), firstDay: i32(), days: u32(),
                            items: list(9) { $0.text() }, entries: list(60) { $0.u32() }) : nil))
        case .renewRequest: return .renewRequest(RenewRequest(csrDer: bytes(300)))
        case .renewReply: return .renewReply(RenewReply(certificateDer: bytes(300)))
        case .ping: return .ping
        case .pong: return .pong
        case .goodbye: return .goodbye
        case .farewell: return .farewell(Farewell(nextContactSeconds: u32()))
        case .contextNotice: return .contextNotice(ContextNotice(revision: u64()))
        case .metadata:
            return .metadata(Metadata(role: text(), version: u64(), content: bytes(9_000)))
        }
    }

    private mutating func register() -> Register {
        Register(
            architecture: text(), cpuFeatures: list(5) { $0.text() }, cores: u32(),
            memoryTotalBytes: u64(), memoryAvailableBytes: u64(), modelMemoryBudgetBytes: u64(),
            modelMemoryBudgetSetByOperator: bool(), flashFreeBytes: u64(),
            runtimeFeatures: list(5) { $0.text() }, int8Microseconds: u32(), powerSource: choice(),
            contact: choice(), agentVersion: text(), running: bool() ? running() : nil,
            labels: list(5) { $0.text() }, measured: bool() ? measured() : nil,
            batteryPercent: u32(), temperatureKelvin: u32(), contactNumber: u64(),
            hardware: bytes(32),
            held: bool()
                ? HeldMetadata(
                    root: u64(), timestamp: u64(), snapshot: u64(), targets: u64(),
                    wantsTimestamp: bool()) : nil)
    }

    private mutating func measured() -> Measurement {
        Measurement(
            kernels: text(), smallNanoseconds: u32(), smallBatchNanoseconds: u32(),
            largeNanoseconds: u32(), largeBatchNanoseconds: u32(), packageDigest: bytes(32),
            packageNanoseconds: u32(), packageBatchNanoseconds: u32(), arenaBytes: u64(),
            peakMemoryBytes: u64(), packageNanojoules: u32())
    }

    private mutating func running() -> RunningPackage {
        RunningPackage(digest: bytes(32), release: u64(), arenaBytes: u64())
    }

    private mutating func record() -> Record {
        switch Int.random(in: 0..<7, using: &random) {
        case 0: .sale(SaleRecord(day: i32(), item: text(), units: u32()))
        case 5: .returned(SaleRecord(day: i32(), item: text(), units: u32()))
        case 1: .close(CloseRecord(day: i32(), closedAllDay: bool()))
        case 2:
            .forecast(
                ForecastRecord(
                    day: i32(), item: text(), forecastUnits: float(), networkOutput: i32(),
                    release: u64(), actualUnits: u32(), inputsComplete: bool(),
                    levelUnits: float(), inputsDigest: u32(), candidate: u64(),
                    candidateUnits: float()))
        case 3: .sales(SalesOfDay(day: i32(), sold: list(200) { $0.u32() }))
        case 4:
            .forecasts(
                ForecastsOfDay(
                    day: i32(), release: u64(), inputsComplete: bool(),
                    itemIndexes: list(5) { $0.u32() }, forecastUnits: list(60) { $0.float() },
                    networkOutput: list(5) { $0.i32() }, actualUnits: list(5) { $0.u32() },
                    levelUnits: list(5) { $0.float() }, inputsDigest: list(60) { $0.u32() },
                    candidate: u64(), candidateUnits: list(5) { $0.float() }))
        default: .unknown
        }
    }

    private mutating func storeDay() -> StoreDay {
        StoreDay(
            day: i32(), closedAllDay: bool(), final: bool(),
            sold: list(Bool.random(using: &random) ? 5 : 400) {
                ItemDay(itemIndex: $0.u32(), units: $0.u32())
            }, units: list(60) { $0.u32() }, itemGaps: list(60) { $0.u32() }, ownItems: u32(),
            ownDigest: u32())
    }

    /// Every length of number is as likely as every other.
    private mutating func u64() -> UInt64 {
        let bits = UInt64.random(in: 0...64, using: &random)
        return bits == 0 ? 0 : random.next() >> (64 - bits)
    }

    private mutating func u32() -> UInt32 { UInt32(truncatingIfNeeded: u64()) }

    private mutating func i32() -> Int32 { Int32(bitPattern: u32()) }

    private mutating func bool() -> Bool { Bool.random(using: &random) }

    private mutating func float() -> Float {
        [0, -0.0, 1, .leastNonzeroMagnitude, .infinity, Float.random(in: -9...9, using: &random)]
            .randomElement(using: &random)!
    }

    private mutating func choice<E: WireEnum>() -> E {
        E(rawValue: Bool.random(using: &random) ? Int32.random(in: 0...20, using: &random) : i32())
    }

    private mutating func text() -> String {
        list(12) { ["a", "7", "ß", "語", "😀", "\0", " "].randomElement(using: &$0.random)! }.joined()
    }

    private mutating func bytes(_ countMax: Int) -> [UInt8] {
        list(countMax) { UInt8.random(in: 0...255, using: &$0.random) }
    }

    private mutating func list<Element>(
        _ countMax: Int, _ element: (inout Self) -> Element
    ) -> [Element] {
        (0..<Int.random(in: 0...countMax, using: &random)).map { _ in element(&self) }
    }
}
