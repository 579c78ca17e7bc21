import Forecasting
import HubCore
import HubStore
import Testing

@Suite("Contract: tokens and devices")
struct DeviceContractTests {
    @Test(
        "A join takes one use of the token and gives a device with its store and labels",
        arguments: StoreUnderTest.allCases)
    func joining(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let token = try await store.createToken(
                try Sample.token(store: "7", labels: ["shelf=cold", "kind=sensor"]))
            #expect(token.id > 0)
            let id = try DeviceID("d-1")
            guard
                case .joined(let device, let storeRecord) = try await store.joinDevice(
                    id, tokenSecretSHA256: Sample.secret, at: Sample.now)
            else {
                Issue.record("not joined")
                return
            }
            #expect(device.id == id && device.store.text == "7" && device.status == .approved)
            #expect(device.labels.map(\.text) == ["shelf=cold", "kind=sensor"])
            #expect(storeRecord.timeZone == "UTC")
            #expect(try await store.device(id) == device)
            #expect(try await store.tokens().map(\.uses) == [1])
            #expect(try await store.events(of: id, countMax: 10).map(\.kind) == ["joined"])
        }
    }

    @Test(
        "Unknown, expired, withdrawn and used-up tokens are refused and leave no device",
        arguments: StoreUnderTest.allCases)
    func refusals(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            func secret(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }
            _ = try await store.createToken(try Sample.token(secret: secret(1), expiresIn: 0))
            let withdrawn = try await store.createToken(try Sample.token(secret: secret(2)))
            _ = try await store.createToken(try Sample.token(uses: 1, secret: secret(3)))
            #expect(try await store.revokeToken(withdrawn.id, at: Sample.now))
            #expect(try await !store.revokeToken(999, at: Sample.now))
            func join(_ device: String, _ byte: UInt8) async throws -> JoinOutcome {
                try await store.joinDevice(
                    try DeviceID(device), tokenSecretSHA256: secret(byte), at: Sample.now)
            }
            #expect(try await join("a", 9) == .refused(.unknown))
            #expect(try await join("b", 1) == .refused(.expired(at: Sample.now)))
            #expect(try await join("c", 2) == .refused(.unknown))
            _ = try await join("d", 3)
            #expect(try await join("e", 3) == .refused(.usedUp(uses: 1)))
            #expect(try await store.devices(store: nil).map(\.id.text) == ["d"])
        }
    }

    @Test("Many devices at once never share a token's last use", arguments: StoreUnderTest.allCases)
    func lastUse(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            _ = try await store.createToken(try Sample.token(uses: 3))
            let joined = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<12 {
                    group.addTask {
                        let outcome = try await store.joinDevice(
                            try DeviceID("d\(number)"), tokenSecretSHA256: Sample.secret,
                            at: Sample.now)
                        if case .joined = outcome { return true }
                        return false
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(joined == 3)
            #expect(try await store.devices(store: nil).count == 3)
        }
    }

    @Test(
        "A device waits for approval, and once revoked stays so", arguments: StoreUnderTest.allCases
    )
    func status(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            _ = try await store.createToken(try Sample.token(approves: false))
            let id = try DeviceID("d")
            _ = try await store.joinDevice(id, tokenSecretSHA256: Sample.secret, at: Sample.now)
            #expect(try await store.device(id)?.status == .pending)
            #expect(
                try await Sample.upload(store, id, from: 1, [Sample.close(0)])
                    == .notAllowed(.pending))
            #expect(
                try await store.setStatus(.approved, of: id, at: Sample.now)?.status == .approved)
            #expect(
                try await Sample.upload(store, id, from: 1, [Sample.close(0)])
                    == .stored(throughSequence: 1, new: 1))
            #expect(
                try await store.setStatus(.revoked, of: id, at: Sample.now)?.status == .revoked)
            #expect(
                try await store.setStatus(.approved, of: id, at: Sample.now)?.status == .revoked)
            #expect(
                try await Sample.upload(store, id, from: 2, [Sample.close(1)])
                    == .notAllowed(.revoked))
            #expect(
                try await store.setStatus(.revoked, of: try DeviceID("x"), at: Sample.now) == nil)
            #expect(
                try await store.events(of: id, countMax: 10).map(\.kind)
                    == ["revoked", "approved", "joined"])
        }
    }

    @Test(
        "Registration keeps what the device said of itself and what runs",
        arguments: StoreUnderTest.allCases)
    func registration(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try await Sample.join(store, device: "d")
            try await Sample.upload(
                store, id, from: 1, [Sample.close(3), Sample.close(5), try Sample.sale(6, "a", 1)])
            var capabilities = DeviceCapabilities()
            capabilities.architecture = "aarch64"
            capabilities.cpuFeatures = ["neon", "dotprod"]
            capabilities.modelMemoryBudgetBytes = .max
            capabilities.contact = .visit
            capabilities.powerSource = .battery
            let later = Sample.now.advanced(bySeconds: 5)
            var device = try #require(
                try await store.registerDevice(
                    id, capabilities: capabilities, labels: [try DeviceLabel("kind=sensor")],
                    running: nil, at: later))
            #expect(device.capabilities == capabilities && device.lastSeenAt == later)
            #expect(device.effectiveLabels.map(\.text) == ["kind=sensor"])
            #expect(device.running == nil && device.activeSince == nil)
            let running = RunningPackage(
                digest: [UInt8](repeating: 3, count: 32), release: 4, arenaBytes: 500)
            device = try #require(
                try await store.registerDevice(
                    id, capabilities: capabilities, labels: [], running: running, at: later))
            #expect(device.running == running && device.activeSince == later)
            // Forecasts are expected after the last day it had closed by then, once and for all.
            #expect(device.forecastsExpectedAfter == Sample.day(5))
            try await Sample.upload(store, id, from: 4, [Sample.close(6)])
            device = try #require(
                try await store.registerDevice(
                    id, capabilities: capabilities, labels: [], running: running,
                    at: later.advanced(bySeconds: 9)))
            #expect(device.forecastsExpectedAfter == Sample.day(5) && device.activeSince == later)
            let sha256 = [UInt8](repeating: 8, count: 32)
            try await store.setCertificate(sha256: sha256, expiresAt: later, of: id)
            try await store.touchDevice(id, at: later.advanced(bySeconds: 60))
            device = try #require(try await store.device(id))
            #expect(device.certificateSHA256 == sha256 && device.certificateExpiresAt == later)
            #expect(device.lastSeenAt == later.advanced(bySeconds: 60))
            #expect(
                try await store.registerDevice(
                    try DeviceID("x"), capabilities: capabilities, labels: [], running: nil,
                    at: later) == nil)
        }
    }

    @Test(
        "Numbers of contacts are kept with the device, and what becomes of copies is in its log",
        arguments: StoreUnderTest.allCases)
    func contacts(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            _ = try await store.createToken(try Sample.token(store: "7"))
            let id = try DeviceID("d-1")
            _ = try await store.joinDevice(id, tokenSecretSHA256: Sample.secret, at: Sample.now)
            func meet(_ number: UInt64, _ hardware: UInt8) async throws -> ContactLine.Verdict? {
                try await store.meetDevice(
                    id, number: number, hardware: [hardware], at: Sample.now)
            }
            #expect(try await meet(0, 1) == .welcome(number: 1, note: nil))
            #expect(try await meet(1, 1) == .welcome(number: 2, note: nil))
            #expect(try await meet(1, 2) == .copy(isNew: true))
            #expect(try await meet(1, 2) == .copy(isNew: false))
            #expect(try await meet(2, 1) == .welcome(number: 3, note: nil))
            #expect(try await store.device(id)?.contactLine.copies == .turnedAway)
            #expect(
                try await store.events(of: id, countMax: 9).map(\.kind) == ["copied", "joined"])
            #expect(
                try await store.forgetCopies(of: id, at: Sample.now)?.contactLine.copies
                    == ContactLine.Copies.none)
            #expect(try await meet(1, 2) != .copy(isNew: true))
            let nobody = try DeviceID("x")
            #expect(
                try await store.meetDevice(nobody, number: 0, hardware: [], at: Sample.now) == nil)
            #expect(try await store.forgetCopies(of: nobody, at: Sample.now) == nil)
        }
    }

    @Test(
        "What a device measured of packages it ran before is remembered with the same kernels",
        arguments: StoreUnderTest.allCases)
    func measurements(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try await Sample.join(store, device: "d")
            func register(_ kernels: String, _ package: UInt8, nanoseconds: Int) async throws
                -> DeviceMeasurement
            {
                var capabilities = DeviceCapabilities()
                var measured = DeviceMeasurement()
                measured.kernels = kernels
                measured.largeNanoseconds = nanoseconds
                measured.packages = [
                    .init(
                        digest: DeviceMeasurement.text(
                            digest: [UInt8](repeating: package, count: 32)),
                        nanoseconds: nanoseconds, batchNanoseconds: 1, arenaBytes: 2,
                        nanojoules: package == 1 ? nil : 3)
                ]
                capabilities.measured = measured
                let device = try await store.registerDevice(
                    id, capabilities: capabilities, labels: [], running: nil, at: Sample.now)
                return try #require(device?.capabilities?.measured)
            }
            func times(_ measured: DeviceMeasurement) -> [Int] {
                measured.packages.map(\.nanoseconds)
            }
            #expect(times(try await register("avx2", 1, nanoseconds: 100)) == [100])
            #expect(times(try await register("avx2", 2, nanoseconds: 200)) == [200, 100])
            let again = try await register("avx2", 1, nanoseconds: 150)
            #expect(times(again) == [150, 200] && again.largeNanoseconds == 150)
            #expect(again.package([UInt8](repeating: 2, count: 32))?.nanojoules == 3)
            #expect(again.package([UInt8](repeating: 3, count: 32)) == nil)
            for package in 3...40 as ClosedRange<UInt8> {
                _ = try await register("avx2", package, nanoseconds: 1000)
            }
            let many = try await register("avx2", 41, nanoseconds: 7)
            #expect(many.packages.count == DeviceMeasurement.packagesMax)
            #expect(many.packages[0].nanoseconds == 7)
            #expect(times(try await register("neon", 2, nanoseconds: 300)) == [300])
        }
    }

    @Test("A device's log is bounded, newest first", arguments: StoreUnderTest.allCases)
    func events(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            let id = try await Sample.join(store, device: "d")
            let other = try await Sample.join(store, device: "e")
            let long = String(repeating: "ä", count: 5000)
            for number in 0..<(DeviceEvent.keptPerDeviceMax + 50) {
                try await store.addEvent(
                    DeviceEvent(
                        at: Sample.now.advanced(bySeconds: Int64(number)), kind: "k\(number)",
                        text: long), of: id)
            }
            let events = try await store.events(of: id, countMax: 10_000)
            #expect(events.count == DeviceEvent.keptPerDeviceMax)
            #expect(events.first?.kind == "k249" && events.last?.kind == "k50")
            #expect(events.allSatisfy { $0.text.count <= DeviceEvent.textBytesMax })
            #expect(try await store.events(of: id, countMax: 2).count == 2)
            #expect(try await store.events(of: other, countMax: 10).count == 1)
        }
    }

    @Test(
        "Devices are listed by store and id, numbers by value", arguments: StoreUnderTest.allCases)
    func listing(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            for (device, storeID) in [("d2", "10"), ("d1", "10"), ("d9", "2")] {
                try await Sample.join(store, device: device, at: storeID)
            }
            #expect(try await store.devices(store: nil).map(\.id.text) == ["d9", "d1", "d2"])
            #expect(
                try await store.devices(store: try StoreID("10")).map(\.id.text) == ["d1", "d2"])
            #expect(try await store.devices(store: try StoreID("3")).isEmpty)
        }
    }
}
