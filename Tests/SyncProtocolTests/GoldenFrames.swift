import SyncProtocol

/// What the frames of `Fixtures/frames.txt` mean, field for field, written down independently of the
/// script that made them.
enum GoldenFrames {
    static let digest = [UInt8](0..<32)
    static let target = "packages/7/0001020304050607"
    static let running = RunningPackage(digest: digest, release: 7, arenaBytes: 1_872)
    static let longText = String(repeating: "ä", count: 512)
    static let sale = Record.sale(SaleRecord(day: 20_778, item: "10", units: 3))

    static let meanings: [String: Message] = opening.merging(packages) { first, _ in first }
        .merging(records) { first, _ in first }

    private static let opening: [String: Message] = [
        "hello": .hello(Hello(versionMin: 1, versionMax: 1, agentVersion: "0.1.0")),
        "hello-wide": .hello(Hello(versionMin: 1, versionMax: .max, agentVersion: longText)),
        "welcome": .welcome(
            Welcome(version: 1, hubTimeMs: 1_790_000_000_123, frameBytesMax: 65_536)),
        "welcome-columns": .welcome(
            Welcome(version: 1, frameBytesMax: 65_536, takesColumns: true)),
        "welcome-before-1970": .welcome(Welcome(version: 1, hubTimeMs: .min)),
        "refusal": .refusal(
            Refusal(
                code: .notApproved, message: "ask the operator: device approve d-1", retry: true,
                retryAfterSeconds: 60)),
        "refusal-empty": .refusal(Refusal()),
        "refusal-later-code": .refusal(Refusal(code: .unrecognized(99))),
        "refusal-negative-code": .refusal(Refusal(code: .unrecognized(-1))),
        "join-request": .joinRequest(
            JoinRequest(secret: [UInt8](0xF0...0xFF), csrDer: [0x30, 3, 2, 1, 0])),
        "join-reply": .joinReply(
            JoinReply(
                deviceId: "d-0001", certificateDer: [0x30, 1], caDer: [0x30, 2],
                store: "12", approved: true, timeZone: "Europe/Berlin", root: [0x7B, 0x7D])),
        "renew-request": .renewRequest(RenewRequest(csrDer: [0x30, 0])),
        "renew-reply": .renewReply(
            RenewReply(certificateDer: [UInt8](repeating: 0, count: 4_096))),
        "ping": .ping,
        "pong": .pong,
        "goodbye": .goodbye,
        "farewell": .farewell(Farewell(nextContactSeconds: 86_400)),
        "farewell-now": .farewell(Farewell()),
    ]

    private static let packages: [String: Message] = [
        "register": .register(
            Register(
                architecture: "aarch64", cpuFeatures: ["neon", "dotprod"], cores: 4,
                memoryTotalBytes: 536_870_912, memoryAvailableBytes: 268_435_456,
                modelMemoryBudgetBytes: 4_096, modelMemoryBudgetSetByOperator: true,
                flashFreeBytes: 1 << 40, runtimeFeatures: ["lstm-int8-v2"], int8Microseconds: 85,
                powerSource: .battery, contact: .visit, agentVersion: "0.1.0", running: running,
                labels: ["aisle=3", "pilot=yes", ""])),
        "register-measured": .register(
            Register(
                architecture: "aarch64",
                measured: Measurement(
                    kernels: "neon-dot", smallNanoseconds: 3_200, smallBatchNanoseconds: 3_100,
                    largeNanoseconds: 21_400, largeBatchNanoseconds: 20_000,
                    packageDigest: digest, packageNanoseconds: 5_150,
                    packageBatchNanoseconds: 5_000, arenaBytes: 1_872, peakMemoryBytes: 5_662_310,
                    packageNanojoules: 9_800))),
        "register-measured-nothing": .register(Register(measured: Measurement())),
        "register-battery": .register(
            Register(
                batteryPercent: 100, temperatureKelvin: 268, contactNumber: 1 << 40,
                hardware: [1, 2, 3, 4, 5, 6, 7, 8])),
        "register-empty": .register(Register()),
        "register-held": .register(
            Register(
                held: HeldMetadata(
                    root: 3, timestamp: .max, snapshot: 128, targets: 1, wantsTimestamp: true))),
        "register-held-nothing": .register(Register(held: HeldMetadata())),
        "register-most": .register(
            Register(
                cores: .max, memoryTotalBytes: .max, memoryAvailableBytes: .max,
                modelMemoryBudgetBytes: .max, flashFreeBytes: .max, int8Microseconds: .max,
                powerSource: .mains, contact: .stay,
                running: RunningPackage(digest: digest, release: .max, arenaBytes: .max))),
        "desired-state-run": .desiredState(
            DesiredState(
                desire: .run, reason: "most accurate that fits 4096 bytes", rollout: 3,
                storedThroughSequence: 1_200, digest: digest, target: target)),
        "desired-state-no-fit": .desiredState(
            DesiredState(
                desire: .noFit, reason: "smallest arena 900 bytes, budget 512", rollout: .max,
                storedThroughSequence: .max)),
        "desired-state-stay": .desiredState(DesiredState(desire: .stayAsYouAre)),
        "desired-state-number": .desiredState(
            DesiredState(desire: .stayAsYouAre, contactNumber: .max)),
        "desired-state-trial": .desiredState(
            DesiredState(
                desire: .run, trialDays: 28, latencyMaxNs: 2_000_000, bytesMax: 1 << 33,
                windowFrom: 1_320, windowTo: 330, digest: digest, target: target)),
        "desired-state-target": .desiredState(
            DesiredState(
                desire: .run, digest: digest, target: String(repeating: "~", count: 256))),
        "metadata": .metadata(Metadata(role: "root", version: 1, content: [0x7B, 0x7D])),
        "metadata-most": .metadata(
            Metadata(
                role: String(repeating: "r", count: 64), version: .max,
                content: [UInt8](repeating: 0, count: 49_152))),
        "desired-state-go-back": .desiredState(
            DesiredState(
                desire: .goBack, reason: "its error grew in this store", rollout: 4,
                digest: digest)),
        "desired-state-delta": .desiredState(
            DesiredState(
                desire: .run, digest: digest, target: target,
                delta: DeltaOffer(digest: digest, bytes: 131, base: .max),
                meteredBytesMax: 1 << 33)),
        "fetch": .fetch(Fetch(digest: digest, offset: 4_096, bytesMax: 32_768)),
        "fetch-first": .fetch(Fetch(digest: digest, bytesMax: 1)),
        "chunk": .chunk(
            Chunk(
                digest: digest, offset: 127, content: [UInt8](0..<200), packageBytes: 5_321)),
        "chunk-end": .chunk(Chunk(digest: digest, offset: 5_321, packageBytes: 5_321)),
        "package-report-active": .packageReport(
            PackageReport(digest: digest, outcome: .active, arenaBytes: 1_872, running: running)),
        "package-report-refused": .packageReport(
            PackageReport(
                outcome: .refused,
                reason: "the package's SHA-256 is not the one that was signed")),
        "package-report-rolled-back": .packageReport(
            PackageReport(digest: digest, outcome: .rolledBack, running: running)),
        "package-report-trial": .packageReport(
            PackageReport(digest: digest, outcome: .trial, running: running)),
        "package-report-untrusted": .packageReport(
            PackageReport(digest: digest, outcome: .untrusted, reason: "timestamp: expired")),
        "package-report-fetching": .packageReport(
            PackageReport(
                digest: digest, outcome: .fetching, reason: "it waits", running: running)),
        "noted": .noted,
    ]

    private static let records: [String: Message] = [
        "upload": .upload(
            Upload(
                firstSequence: 1,
                records: [
                    sale,
                    .close(CloseRecord(day: 20_778, closedAllDay: true)),
                    .close(CloseRecord()),
                    .forecast(
                        ForecastRecord(
                            day: 20_778, item: "10", forecastUnits: 12.625,
                            networkOutput: -4_711, release: 7, actualUnits: 13,
                            inputsComplete: true)),
                    .forecast(
                        ForecastRecord(
                            day: 20_778, item: "11", forecastUnits: 0.5, networkOutput: 12,
                            release: 7, inputsComplete: true, levelUnits: 10.25,
                            inputsDigest: 0xDEAD_BEEF)),
                    .forecast(ForecastRecord(item: "x", networkOutput: .min)),
                    .forecast(
                        ForecastRecord(
                            day: 20_779, item: "x", forecastUnits: 3.5,
                            candidate: 0xFEDC_BA98_7654_3210, candidateUnits: 4.25)),
                ])),
        "upload-most": .upload(
            Upload(
                firstSequence: UInt64(Int64.max),
                records: [
                    .sale(
                        SaleRecord(
                            day: 84_005, item: String(repeating: "~", count: 32),
                            units: 1_000_000)),
                    .forecast(
                        ForecastRecord(
                            day: 84_005, item: String(repeating: "~", count: 32),
                            forecastUnits: .greatestFiniteMagnitude, networkOutput: .max,
                            release: .max, actualUnits: .max, inputsComplete: true,
                            levelUnits: .greatestFiniteMagnitude, inputsDigest: .max)),
                ])),
        "upload-500": .upload(
            Upload(firstSequence: 300, records: [Record](repeating: sale, count: 500))),
        "upload-columns": .upload(
            Upload(
                firstSequence: 1 << 35,
                records: [
                    .sales(SalesOfDay(day: 20_778, sold: [0, 5, 300, 2_999_999])),
                    .forecasts(
                        ForecastsOfDay(
                            day: 20_778, release: 7, inputsComplete: true, itemIndexes: [2, 0],
                            forecastUnits: [12.625, 0], networkOutput: [-4_711, .max],
                            actualUnits: [13, .max], levelUnits: [10.25, 0.5],
                            inputsDigest: [0xDEAD_BEEF, 1])),
                    .forecasts(
                        ForecastsOfDay(forecastUnits: [1], networkOutput: [0], actualUnits: [0])),
                    .forecasts(
                        ForecastsOfDay(
                            day: 20_779, forecastUnits: [1, 2], networkOutput: [0, 1],
                            actualUnits: [0, 1], candidate: 1, candidateUnits: [0, 2.5])),
                    .forecasts(ForecastsOfDay(forecastUnits: [1], networkOutput: [0])),
                    .close(CloseRecord(day: 20_778)),
                ], items: ["1", "2", String(repeating: "~", count: 32)],
                foldedSales: 300)),
        "upload-ack": .uploadAck(UploadAck(throughSequence: 4_294_967_296)),
        "upload-ack-none": .uploadAck(UploadAck()),
        "context-request": .contextRequest(ContextRequest(knownRevision: 128)),
        "context-request-all": .contextRequest(ContextRequest()),
        "context-request-columns": .contextRequest(
            ContextRequest(knownRevision: 7, takesColumns: true, inFull: true)),
        "context-request-calendar": .contextRequest(
            ContextRequest(
                knownRevision: 7, takesColumns: true, takesCalendar: true,
                calendarDigest: 0xDEAD_BEEF)),
        "context": .context(
            Context(
                revision: 129, items: ["1", "2", "10"],
                days: [
                    StoreDay(
                        day: 20_777, final: true,
                        sold: [ItemDay(units: 14), ItemDay(itemIndex: 2, units: 300)]),
                    StoreDay(day: 20_778, closedAllDay: true),
                    StoreDay(),
                ],
                levels: [
                    ItemLevel(itemIndex: 1, levelUnits: 0.1, day: 20_778),
                    ItemLevel(levelUnits: -0.0),
                ],
                ownShare: 0.25, more: true)),
        "context-columns": .context(
            Context(
                revision: 130,
                days: [
                    StoreDay(day: 20_777, units: [14, 300, 1], itemGaps: [0, 1, 200]),
                    StoreDay(day: 20_778, final: true, units: [1, .max]),
                    StoreDay(day: 20_779, final: true, ownItems: 50, ownDigest: 0xDEAD_BEEF),
                    StoreDay(day: 20_780, closedAllDay: true, final: true),
                ], ownShare: 1, namedItems: ["1", String(repeating: "~", count: 32)])),
        "context-empty": .context(Context()),
        "context-calendar": .context(
            Context(
                revision: 131,
                calendar: CalendarOfStore(
                    digest: 1, firstDay: 20_699, days: 200, items: ["1"],
                    entries: [1 << 4 | 1, 202 << 4 | 2, 8, 8]))),
        "context-no-calendar-any-more": .context(
            Context(revision: 132, calendar: CalendarOfStore())),
        "context-200-items": .context(
            Context(
                revision: 1, items: (0..<200).map { "\($0)" },
                days: [
                    StoreDay(
                        day: 1, sold: (0..<200).map { ItemDay(itemIndex: $0, units: $0) })
                ])),
        "context-2800-items": .context(
            Context(
                revision: 1, items: (0..<2_800).map { "\($0)" },
                days: [
                    StoreDay(
                        day: 1, sold: (0..<2_800).map { ItemDay(itemIndex: $0, units: 1) })
                ])),
        "context-notice": .contextNotice(ContextNotice(revision: 130)),
    ]
}
