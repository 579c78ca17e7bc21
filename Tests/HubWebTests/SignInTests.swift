import HubCore
import HubWeb
import Testing

@Suite("Passwords and their limits") struct SignInTests {
    private static let now = Timestamp(millisecondsSince1970: 1_700_000_000_000)

    /// scrypt at its least: what is tested here is not how long it takes.
    static var quick: PasswordHasher {
        var cost = PasswordHasher.Cost()
        cost.rounds = 16
        cost.parallelism = 1
        return PasswordHasher(cost: cost)
    }

    @Test("A password matches its record alone, with the cost it was made with")
    func passwords() async throws {
        let record = try await Self.quick.record(of: "correct horse", at: Self.now)
        #expect(record.hash.count == PasswordRecord.hashBytes)
        #expect(record.rounds == 16 && record.parallelism == 1 && record.setAt == Self.now)
        let other = try await Self.quick.record(of: "correct horse", at: Self.now)
        #expect(other.salt != record.salt && other.hash != record.hash)
        var cost = PasswordHasher.Cost()
        cost.rounds = 32
        let hasher = PasswordHasher(cost: cost)
        #expect(try await hasher.matches("correct horse", record))
        for wrong in [
            "", "correct hors", "correct horse ", "Correct horse",
            String(repeating: "x", count: 9_999),
        ] {
            #expect(try await !hasher.matches(wrong, record), "\(wrong.prefix(20))")
        }
        #expect(try await !hasher.matches("correct horse", nil))
        var spoiled = record
        spoiled.hash[31] ^= 1
        #expect(try await !hasher.matches("correct horse", spoiled))
    }

    @Test("What a password must be")
    func lengths() {
        #expect(!PasswordHasher.isPassword("nine byte"))
        #expect(PasswordHasher.isPassword("ten bytes!"))
        #expect(!PasswordHasher.isPassword(String(repeating: "x", count: 257)))
    }

    @Test("Wrong passwords are limited by name and by address, and time grants more")
    func limits() {
        var limit = SignInLimit()
        let names = Int(SignInLimit.triesMax.name)
        for _ in 0..<names {
            #expect(limit.admit(name: "manager", peer: "10.0.0.1", at: Self.now) == nil)
        }
        let wait = limit.admit(name: "manager", peer: "10.0.0.2", at: Self.now)
        #expect(wait == Int(SignInLimit.secondsPerTry.name))
        #expect(limit.admit(name: "clerk", peer: "10.0.0.1", at: Self.now) == nil)
        let later = Self.now.advanced(bySeconds: Int64(SignInLimit.secondsPerTry.name))
        #expect(limit.admit(name: "manager", peer: "10.0.0.2", at: later) == nil)
        #expect(limit.admit(name: "manager", peer: "10.0.0.2", at: later) != nil)
        limit.succeeded(name: "manager", peer: "10.0.0.2")
        #expect(limit.admit(name: "manager", peer: "10.0.0.2", at: later) == nil)

        var peers = SignInLimit()
        var admitted = 0
        for number in 0..<1_000
        where peers.admit(name: "n\(number)", peer: "one", at: Self.now) == nil {
            admitted += 1
        }
        #expect(admitted == Int(SignInLimit.triesMax.peer))
        // A clock that goes back grants nothing.
        #expect(
            peers.admit(name: "x", peer: "one", at: Self.now.advanced(bySeconds: -3_600)) != nil)
    }
}
