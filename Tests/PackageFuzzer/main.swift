import Foundation
import PackageSamples
import TestSupport

// Spoils packages and deflate streams and reads them: nothing may crash, and both readers of a package, and both of a
// stream, must agree. Every execution follows from the seed and its number alone.
//
// Usage: package-fuzzer [--seed N] [--executions N] [--first N]

func option(_ name: String, default value: Int) -> Int {
    let words = CommandLine.arguments
    guard let at = words.firstIndex(of: name) else { return value }
    guard at + 1 < words.count, let number = Int(words[at + 1]), number >= 0 else {
        FileHandle.standardError.write(Data("\(name) takes a number\n".utf8))
        exit(2)
    }
    return number
}

let seed = option("--seed", default: 1)
let first = option("--first", default: 0)
let executions = option("--executions", default: 20_000)

/// Read by the handler of a crash, which prints it.
nonisolated(unsafe) var current = 0

func install() {
    for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS] {
        signal(number) { number in
            var digits = [UInt8]("crashed: --executions 1 --first \(current)\n".utf8)
            _ = write(2, &digits, digits.count)
            signal(number, SIG_DFL)
            raise(number)
        }
    }
}

struct Tally {
    var packages = 0
    var run = 0
    var unfit = 0
    var invalid = 0
    var unread = 0
    var streams = 0
    var whole = 0
}

struct Fuzzer {
    /// Whole files of a few hundred bytes, and some of many thousand: those take long.
    let small: [PackageParts]
    let large: [PackageParts]
    let streams: [(packed: [UInt8], hasDictionary: Bool)]
    var tally = Tally()

    init() throws {
        small = try PackageSample.small().map { PackageParts($0.file) }
        large = try PackageSample.large().map { PackageParts($0.file) }
        streams = Self.streams(of: small)
    }

    /// Every level and strategy of zlib, with contents of packages and worse ones.
    private static func streams(
        of packages: [PackageParts]
    ) -> [(packed: [UInt8], hasDictionary: Bool)] {
        var numbers = SeededGenerator(seed: 1)
        let noise = (0..<300).map { _ in UInt8.random(in: 0...255, using: &numbers) }
        var contents: [[UInt8]] = [
            [], [65], noise, [UInt8](repeating: 0, count: 700),
            (0..<900).map { UInt8($0 % 7 * 30) }, noise + noise,
        ]
        for section in packages[packages.count / 2].sections { contents.append(section.unpacked) }
        var streams: [(packed: [UInt8], hasDictionary: Bool)] = []
        for content in contents {
            for level in Int32(0)...9 {
                for strategy in Int32(0)...4 {
                    for hasDictionary in [false, true] {
                        let packed = Zlib.deflate(
                            content, level: level, strategy: strategy,
                            hasDictionary: hasDictionary)
                        streams.append((packed, hasDictionary))
                    }
                }
            }
        }
        return streams
    }

    /// - Returns: what went wrong.
    mutating func execute(_ number: Int) -> String? {
        var mutation = Mutation(
            numbers: SeededGenerator(
                seed: UInt64(seed) << 40 ^ UInt64(number) &* 0x9E37_79B9_97F4_A7C5))
        if mutation.below(8) == 0 { return stream(&mutation) }
        let pool = mutation.below(512) == 0 ? large : small
        var package = pool[mutation.below(pool.count)]
        let changes = mutation.below(4)
        for _ in 0..<changes { mutation.spoil(&package, others: small) }
        var file = package.file
        if mutation.below(4) == 0 { mutation.spoil(&file) }
        var trial = PackageTrial(PackageParts.exactly(file))
        if let needed = trial.arenaNeeded {
            // The lie found out, the rest of it.
            package.arenaBytes = needed
            let honest = PackageTrial(package.file)
            if let fault = honest.fault { return fault }
            if trial.fault == nil { trial = honest }
        }
        tally.packages += 1
        switch trial.verdict {
        case .runs: tally.run += 1
        case .unfit: tally.unfit += 1
        case .invalid: tally.invalid += 1
        case .unread: tally.unread += 1
        }
        if changes == 0, file == package.file, trial.verdict != .runs {
            return "a sound package is refused"
        }
        return trial.fault
    }

    private mutating func stream(_ mutation: inout Mutation) -> String? {
        var (packed, hasDictionary) = streams[mutation.below(streams.count)]
        for _ in 0..<mutation.below(4) { mutation.spoil(&packed) }
        let trial = InflateTrial(packed, hasDictionary: hasDictionary)
        tally.streams += 1
        if trial.isComplete { tally.whole += 1 }
        return trial.fault.map { "deflate: " + $0 }
    }
}

install()
var fuzzer = try Fuzzer()
for number in first..<first + executions {
    current = number
    if let fault = fuzzer.execute(number) {
        print("\(fault): package-fuzzer --seed \(seed) --first \(number) --executions 1")
        exit(1)
    }
    if number % 1_000_000 == 999_999 { print("\(number + 1) ...") }
}
let tally = fuzzer.tally
print(
    "\(executions) executions without a fault: \(tally.packages) packages, \(tally.run) that run,",
    "\(tally.unfit) unfit, \(tally.invalid) malformed, \(tally.unread) refused before they were read;",
    "\(tally.streams) deflate streams, \(tally.whole) whole")
