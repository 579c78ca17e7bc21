import Testing
import Training

@Suite("Training's chance") struct SeededRandomTests {
    @Test("reaches every number below a bound about equally often")
    func below() {
        var random = SeededRandom(seed: 5)
        var counts = [Int](repeating: 0, count: 10)
        for _ in 0..<10_000 { counts[random.below(10)] += 1 }
        // Five standard deviations of a binomial around 1,000.
        for count in counts { #expect((850...1_150).contains(count), "\(counts)") }
    }

    @Test("shuffles so that few neighbours stay neighbours")
    func shuffle() {
        var random = SeededRandom(seed: 5)
        var values = Array(0..<1_000)
        random.shuffle(&values)
        #expect(values.sorted() == Array(0..<1_000))
        #expect(zip(values, values.dropFirst()).count { $1 == $0 + 1 } < 10)
        var again = Array(0..<1_000)
        var other = SeededRandom(seed: 5)
        other.shuffle(&again)
        #expect(again == values)
    }
}
