import CAllocations
import Forecasting
import ModelPackage
import PackageSamples

// What the engine takes from the heap and of the stack, package by package: a line of name=value each. The tests say what
// the values must be.
//
// Usage: engine-check [small|large]    the samples; both without an argument

/// Of one package, in bytes where nothing else is said.
struct Figures {
    var statedArena = 0
    var fileInUse = 0
    /// Of the heap, from before the engine is made until its golden vectors are proved, the file's own bytes aside.
    var peak = 0
    var allocationsOfLoad = 0
    var allocationsOfProof = 0
    /// For 1,000 forecasts, singly and in one call.
    var allocationsOfForecasts = 0
    /// When the engine has gone.
    var left = 0
    var stackOfLoad = 0
    var stackOfProof = 0
    var stackOfForecasts = 0
    var runsAtBudget = false
    var refusedBelow = false
}

/// What 1,000 forecasts are made of; there before anything is counted.
struct Days {
    var recent: [DemandDay]
    let first: BusinessDay

    init(window: Int, first: BusinessDay) {
        recent = (0..<window).map { (t: Int) -> DemandDay in
            t % 5 == 4 ? .closed : DemandDay(units: Int32(20 + t))
        }
        self.first = first
    }
}

func forecastSingly(_ engine: borrowing Engine, _ days: Days) -> Int32 {
    var sum: Int32 = 0
    for number in 0..<1_000 {
        let index = engine.itemCount > 0 && number % 3 > 0 ? number % engine.itemCount : nil
        let forecast = engine.forecast(
            index: index, level: 30, recentDays: days.recent.span,
            target: days.first.advanced(by: number))
        sum &+= forecast.networkOutput
    }
    return sum
}

func forecastTogether(_ engine: borrowing Engine, _ days: Days) -> Int32 {
    var sum: Int32 = 0
    engine.forecast(count: 1_000, target: days.first) { number, recent in
        for t in days.recent.indices { recent[t] = days.recent[t] }
        return (nil, Float(number + 1), [])
    } each: { _, forecast in
        sum &+= forecast.networkOutput
    }
    return sum
}

func prove(_ engine: borrowing Engine, _ file: [UInt8]) -> Int32 {
    var sum: Int32 = 0
    do {
        try engine.proveGoldenVectors(of: file) { sum &+= $0 }
    } catch { fatalError(error.message) }
    return sum
}

func load(_ file: [UInt8]) -> Engine {
    do { return try Engine(file, budgetBytes: .max) } catch { fatalError(error.message) }
}

/// The heap of one life of an engine.
func measureHeap(_ file: [UInt8], _ days: Days, _ figures: inout Figures) -> Int32 {
    shelfcast_allocations_begin()
    let engine = load(file)
    let loaded = shelfcast_allocations_so_far()
    var sum = prove(engine, file)
    let proved = shelfcast_allocations_so_far()
    sum &+= forecastSingly(engine, days)
    sum &+= forecastTogether(engine, days)
    let forecast = shelfcast_allocations_end()
    figures.fileInUse = engine.fileBytes
    figures.statedArena = engine.arenaBytes
    figures.peak = proved.bytesPeak
    figures.allocationsOfLoad = loaded.count
    figures.allocationsOfProof = proved.count - loaded.count
    figures.allocationsOfForecasts = forecast.count - proved.count
    return sum
}

func bytesLeft(_ file: [UInt8]) -> Int {
    shelfcast_allocations_begin()
    do { _ = load(file) }
    return shelfcast_allocations_end().bytesNow
}

/// The stack that `body` reaches on a thread of its own.
func stackBytes(_ body: () -> Int32) -> Int {
    var sum: Int32 = 0
    let bytes = withoutActuallyEscaping(body) { body in
        var run: () -> Void = { sum = body() }
        return withUnsafeMutablePointer(to: &run) {
            shelfcast_stack_bytes(
                { $0!.assumingMemoryBound(to: (() -> Void).self).pointee() }, $0)
        }
    }
    precondition(bytes >= 0, "no thread to measure on")
    sums &+= sum
    return bytes
}

/// Where every result goes, so that none is left out as of no use.
nonisolated(unsafe) var sums: Int32 = 0

func measureStack(_ file: [UInt8], _ days: Days, _ figures: inout Figures) {
    figures.stackOfLoad = stackBytes { Int32(truncatingIfNeeded: load(file).arenaBytes) }
    let engine = load(file)
    figures.stackOfProof = stackBytes { prove(engine, file) }
    figures.stackOfForecasts = stackBytes {
        forecastSingly(engine, days) &+ forecastTogether(engine, days)
    }
}

func tryBudgets(_ file: [UInt8], _ figures: inout Figures) {
    let needed = figures.statedArena + figures.fileInUse
    do {
        let engine = try Engine(file, budgetBytes: needed)
        try engine.proveGoldenVectors(of: file)
        figures.runsAtBudget = true
    } catch { figures.runsAtBudget = false }
    do {
        _ = try Engine(file, budgetBytes: needed - 1)
    } catch .overBudget(arenaBytes: needed, budgetBytes: needed - 1) {
        figures.refusedBelow = true
    } catch { figures.refusedBelow = false }
}

func check(_ sample: PackageSample) throws {
    let manifest = try Manifest(of: sample.file)
    let days = Days(window: manifest.spec.window, first: manifest.asOf.advanced(by: 1))
    var figures = Figures()
    sums &+= measureHeap(sample.file, days, &figures)
    figures.statedArena = manifest.arenaBytes
    figures.left = bytesLeft(sample.file)
    tryBudgets(sample.file, &figures)
    measureStack(sample.file, days, &figures)
    print(
        sample.name, "file=\(sample.file.count)", "arena=\(figures.statedArena)",
        "fileInUse=\(figures.fileInUse)", "peak=\(figures.peak)",
        "load=\(figures.allocationsOfLoad)", "proof=\(figures.allocationsOfProof)",
        "forecasts=\(figures.allocationsOfForecasts)", "left=\(figures.left)",
        "runsAtBudget=\(figures.runsAtBudget)", "refusedBelow=\(figures.refusedBelow)",
        "stackOfLoad=\(figures.stackOfLoad)", "stackOfProof=\(figures.stackOfProof)",
        "stackOfForecasts=\(figures.stackOfForecasts)")
}

let only = CommandLine.arguments.dropFirst().first
if only != "large" { for sample in try PackageSample.small() { try check(sample) } }
if only != "small" { for sample in try PackageSample.large() { try check(sample) } }
