import Forecasting
import Foundation
import HubCore
import HubStore
import Testing

@Suite("Contract: passwords and sessions")
struct SessionContractTests {
    private static func password(_ seed: UInt8) -> PasswordRecord {
        PasswordRecord(
            salt: [UInt8](repeating: seed, count: 16), hash: [UInt8](repeating: seed, count: 32),
            rounds: 1024, blockSize: 8, parallelism: 1, setAt: Sample.now)
    }

    private static func secret(_ number: Int) -> [UInt8] {
        (0..<32).map { UInt8(truncatingIfNeeded: number >> ($0 % 4 * 8)) }
    }

    private static func session(
        _ number: Int, of user: String = "manager", after seconds: Int64 = 0
    )
        -> SessionRecord
    {
        SessionRecord(
            secretSHA256: secret(number), user: user,
            startedAt: Sample.now.advanced(bySeconds: seconds))
    }

    private static func add(_ name: String, to store: any HubStore) async throws {
        try await store.addUser(
            UserRecord(name: name, role: .operator, createdAt: Sample.now))
        try await store.setPassword(password(1), of: name)
    }

    @Test(
        "A session is good until it is ended, unused for long, or old",
        arguments: StoreUnderTest.allCases)
    func life(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            try await Self.add("manager", to: store)
            #expect(try await store.session(secretSHA256: Self.secret(1), at: Sample.now) == nil)
            #expect(try await store.openSession(Self.session(1), ifStill: Self.password(1)))
            let found = try await store.session(secretSHA256: Self.secret(1), at: Sample.now)
            #expect(found?.session == Self.session(1))
            #expect(found?.user.name == "manager" && found?.user.role == .operator)
            func isGood(after seconds: Int64) async throws -> Bool {
                try await store.session(
                    secretSHA256: Self.secret(1), at: Sample.now.advanced(bySeconds: seconds))
                    != nil
            }
            let idle = SessionRecord.idleSeconds
            #expect(try await isGood(after: idle - 1))
            #expect(try await !isGood(after: idle))
            var used: Int64 = 0
            while used + idle - 1 < SessionRecord.ageSeconds {
                used += idle - 1
                try await store.touchSession(
                    secretSHA256: Self.secret(1), at: Sample.now.advanced(bySeconds: used))
            }
            #expect(try await isGood(after: SessionRecord.ageSeconds - 1))
            #expect(try await !isGood(after: SessionRecord.ageSeconds))
            // Two clocks that differ do not take back what was noted.
            try await store.touchSession(secretSHA256: Self.secret(1), at: Sample.now)
            #expect(try await isGood(after: SessionRecord.ageSeconds - 1))
            try await store.endSession(secretSHA256: Self.secret(1))
            try await store.endSession(secretSHA256: Self.secret(1))
            #expect(try await !isGood(after: 1))
        }
    }

    @Test(
        "A new password and a removed user end sessions, and nobody else's",
        arguments: StoreUnderTest.allCases)
    func ends(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            for name in ["manager", "clerk"] { try await Self.add(name, to: store) }
            for (number, user) in [(1, "manager"), (2, "clerk")] {
                #expect(
                    try await store.openSession(
                        Self.session(number, of: user), ifStill: Self.password(1)))
            }
            func isGood(_ number: Int) async throws -> Bool {
                try await store.session(secretSHA256: Self.secret(number), at: Sample.now) != nil
            }
            try await store.acting(as: "os:root").setPassword(Self.password(2), of: "manager")
            #expect(try await !isGood(1))
            #expect(try await isGood(2))
            #expect(try await store.password(of: "manager") == Self.password(2))
            // Who showed the old one comes too late.
            #expect(
                try await !store.openSession(Self.session(3), ifStill: Self.password(1)))
            #expect(try await !isGood(3))
            let line = try await store.audit(countMax: 1)[0]
            #expect(
                [line.author, line.action, line.object] == [
                    "os:root", "set-password", "user manager",
                ])
            #expect(try await store.removeUser("clerk", at: Sample.now))
            #expect(try await !isGood(2))
            #expect(try await store.password(of: "clerk") == nil)
            #expect(
                try await !store.openSession(
                    Self.session(4, of: "clerk"), ifStill: Self.password(1)))
            await #expect(throws: HubStoreError.notFound(what: "user clerk")) {
                try await store.setPassword(Self.password(1), of: "clerk")
            }
        }
    }

    @Test(
        "A user's sessions are bounded: the one used longest ago ends",
        arguments: StoreUnderTest.allCases)
    func bounded(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            for name in ["manager", "clerk"] { try await Self.add(name, to: store) }
            _ = try await store.openSession(
                Self.session(1_000, of: "clerk"), ifStill: Self.password(1))
            let count = SessionRecord.perUserMax
            for number in 0..<count {
                _ = try await store.openSession(
                    Self.session(number, after: Int64(number)), ifStill: Self.password(1))
            }
            try await store.touchSession(
                secretSHA256: Self.secret(0), at: Sample.now.advanced(bySeconds: 50))
            _ = try await store.openSession(
                Self.session(count, after: 60), ifStill: Self.password(1))
            var good: [Int] = []
            for number in Array(0...count) + [1_000] {
                let found = try await store.session(
                    secretSHA256: Self.secret(number), at: Sample.now.advanced(bySeconds: 60))
                if found != nil { good.append(number) }
            }
            #expect(good == [0] + Array(2...count) + [1_000])
        }
    }
}
