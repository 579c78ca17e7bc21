import HubCore
import TestSupport
import Testing

@Suite("Telling a device from its copies")
struct ContactLineTests {
    /// A device as the hub sees it: the number it holds and the hardware it names.
    struct Device {
        var number: UInt64 = 0
        var hardware: [UInt8] = []

        /// One contact.
        mutating func comes(
            to line: inout ContactLine, isLetIn: Bool = true, answerIsLost: Bool = false,
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            let wasLetIn = call(&line, answerIsLost: answerIsLost)
            #expect(wasLetIn == isLetIn, sourceLocation: sourceLocation)
        }

        /// - Returns: whether it was let in.
        mutating func call(_ line: inout ContactLine, answerIsLost: Bool = false) -> Bool {
            guard case .welcome(let number, _) = line.meet(stated: self.number, hardware: hardware)
            else { return false }
            if !answerIsLost { self.number = number }
            return true
        }
    }

    static let one: [UInt8] = [1, 1, 1, 1, 1, 1, 1, 1]
    static let other: [UInt8] = [2, 2, 2, 2, 2, 2, 2, 2]

    @Test(
        "A device whose answers are lost now and then is never taken for a copy",
        arguments: 1...20 as ClosedRange<UInt64>)
    func losses(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var line = ContactLine()
        var device = Device(hardware: seed.isMultiple(of: 2) ? Self.one : [])
        for _ in 0..<500 {
            device.comes(to: &line, answerIsLost: Bool.random(using: &random))
        }
        #expect(line.copies == .none)
    }

    @Test(
        "Neither is one whose database was restored, begun anew, or restored wrongly and put right")
    func restored() {
        var line = ContactLine()
        var device = Device(hardware: Self.one)
        for _ in 0..<5 { device.comes(to: &line) }
        let early = device
        for _ in 0..<5 { device.comes(to: &line) }
        let late = device
        device = early
        for _ in 0..<3 { device.comes(to: &line) }
        device = late
        for _ in 0..<3 { device.comes(to: &line) }
        device.number = 0
        for _ in 0..<3 { device.comes(to: &line) }
        device.number = 0
        for _ in 0..<3 { device.comes(to: &line) }
        #expect(line.copies == .none)
    }

    @Test(
        "Random single lives: crashes before the number is kept, restores of ever older copies",
        arguments: 1...20 as ClosedRange<UInt64>)
    func lives(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var line = ContactLine()
        var device = Device()
        var copies: [Device] = []
        for _ in 0..<300 {
            switch Int.random(in: 0..<20, using: &random) {
            case 0: copies.append(device)
            // The same set-aside copy any number of times, or an older one.
            case 1: if let copy = copies.last { device = copy }
            case 2: _ = copies.popLast()
            default:
                device.comes(to: &line, answerIsLost: Bool.random(using: &random))
            }
        }
    }

    @Test(
        "A copy on other hardware is turned away at its first contact that is not the line's next; the original goes on",
        arguments: [true, false])
    func hardware(copyFirst: Bool) {
        var line = ContactLine()
        var original = Device(hardware: Self.one)
        for _ in 0..<4 { original.comes(to: &line) }
        var copy = original
        copy.hardware = Self.other
        if copyFirst {
            copy.comes(to: &line)
        }
        original.comes(to: &line)
        for _ in 0..<5 {
            copy.comes(to: &line, isLetIn: false)
            original.comes(to: &line)
        }
        #expect(line.copies == .turnedAway)
    }

    @Test("A device that is moved to other hardware goes on, and the operator hears of it")
    func moved() {
        var line = ContactLine()
        var device = Device(hardware: Self.one)
        for _ in 0..<4 { device.comes(to: &line) }
        let verdict = line.meet(stated: device.number, hardware: Self.other)
        #expect(
            verdict == .welcome(number: 5, note: "it goes on, on other hardware than before"))
    }

    @Test(
        "Copies on hardware that names nothing are found out within some contacts, however many and in whatever order",
        arguments: [2, 3, 5], 1...10 as ClosedRange<UInt64>)
    func unnamed(count: Int, seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var line = ContactLine()
        var first = Device()
        for _ in 0..<4 { first.comes(to: &line) }
        var devices = [Device](repeating: first, count: count)
        var contacts = 0
        while line.copies == .none, contacts < 100 {
            contacts += 1
            _ = devices[Int.random(in: 0..<count, using: &random)].call(&line)
        }
        #expect(line.copies == .undecided, "seed \(seed)")
        for index in devices.indices { devices[index].comes(to: &line, isLetIn: false) }
    }

    @Test("Two in turns are found out at the fifth contact")
    func turns() {
        var line = ContactLine()
        var a = Device()
        for _ in 0..<4 { a.comes(to: &line) }
        var b = a
        a.comes(to: &line)
        b.comes(to: &line)
        a.comes(to: &line)
        b.comes(to: &line)
        a.comes(to: &line, isLetIn: false)
        let verdict = line.meet(stated: a.number, hardware: [])
        #expect(verdict == .copy(isNew: false))
    }
}
