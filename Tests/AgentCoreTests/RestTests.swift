import AgentCore
import Testing

@Suite("Memory given back at rest")
struct RestTests {
    @Test("comes after a quiet of five seconds, once")
    func once() {
        var rest = Rest()
        #expect(!rest.isWaitedFor(in: 4_999))
        #expect(rest.isWaitedFor(in: 5_000))
        _ = rest.come(awayMilliseconds: nil)
        #expect(!rest.isWaitedFor(in: .max), "nothing wakes to give back what is gone")
        rest.noteWork()
        #expect(rest.isWaitedFor(in: .max))
    }

    @Test("takes code along between contacts, once for each, whatever tills do meanwhile")
    func code() {
        var rest = Rest()
        #expect(rest.come(awayMilliseconds: 900_000) == .heapAndCode)
        for _ in 0..<3 {
            rest.noteWork()
            #expect(rest.come(awayMilliseconds: 900_000) == .heap)
        }
        rest.noteContact()
        #expect(rest.isWaitedFor(in: .max))
        #expect(rest.come(awayMilliseconds: 900_000) == .heapAndCode)
    }

    @Test("keeps code while connected, and where the next contact is near")
    func kept() {
        var rest = Rest()
        #expect(rest.come(awayMilliseconds: nil) == .heap)
        #expect(rest.come(awayMilliseconds: 59_999) == .heap)
        #expect(rest.come(awayMilliseconds: 60_000) == .heapAndCode)
    }
}
