package import AgentCore
import CPosix
package import Forecasting
import ModelPackage
package import SyncProtocol
import UpdateTrust

/// Why the agent did not do what was asked of it. `exitCode` is the command's.
package enum AgentError: Error, Equatable, Sendable {
    case usage(String)
    case refused(String)
    case notJoined
    case unreachable(String)
    case busy(String)
    case failed(String)
    case store(StoreError)

    package var exitCode: Int32 {
        switch self {
        case .failed: 1
        case .store(.busy): 75
        case .store: 1
        case .usage: 2
        case .refused: 3
        case .notJoined: 4
        case .unreachable: 5
        case .busy: 75
        }
    }

    package var text: String {
        switch self {
        case .usage(let text), .refused(let text), .unreachable(let text), .busy(let text),
            .failed(let text):
            text
        case .notJoined:
            "this device has not joined a hub; make a token there (shelfcast-hub token create) and run: shelfcast-agent join TOKEN"
        case .store(let error): error.text
        }
    }
}

/// What a device does with sales, days and packages. No socket: the hub's side comes in through
/// `perform` and goes out through `message`.
package final class AgentService {
    package let store: AgentStore
    package let clock: AgentClock
    package private(set) var identity: Identity?
    package private(set) var configuration: Configuration
    package let contact: ContactMode
    /// So long the commit of a sale may wait; 0: it is on the disk before it is answered.
    package let commitMilliseconds: Int64
    /// Since when a sale waits for its commit, in steady milliseconds.
    private var heldSince: Int64?
    package internal(set) var update = Update()
    /// The active package at work; nil while there is none.
    package internal(set) var predictor: EnginePredictor?
    /// What items are ordered by where nobody said otherwise.
    package var orderDefaults = OrderRule()
    /// See `currentShelves`.
    var shelves: [Shelf] = []
    var shelvesAreStale = true
    var news: [News] = []
    /// Of `machine`, refreshed at every registration.
    private var machine: Register
    /// What was timed since the start: the reference networks, unless the caller knows them, and the same with a package.
    package var references: Measurement?
    private var measurement: Measurement?
    /// What being in touch may cost.
    package private(set) var thrift = Thrift()
    /// A person on this device waits for a contact: a package may cost what it costs.
    var contactIsAsked = false
    /// Whom an end of the agent in the predictor's code is held against.
    var workOfPredictor = AtWork.active
    /// The report that waits for its acknowledgement.
    var reportSent: PackageReport?
    /// The hub has told us that another device has our identity.
    package internal(set) var isCopy = false
    /// The store's days are to be asked for in full (SPEC 10.6).
    var lacksContext = false
    /// Of the answer that is coming in: a day is not this device's own as the hub says.
    var contextDiffers = false
    /// What is kept of the repository's metadata, in short.
    var trust = TrustState()
    /// Metadata that came for a DesiredState still to come.
    var arrivedMetadata: [Metadata] = []
    /// What was last registered, for telling that something changed.
    var registered: Register?

    package init(
        store: AgentStore, contact: ContactMode = .visit, clock: AgentClock = AgentClock(),
        configuration: Configuration? = nil, commitMilliseconds: Int64 = 0
    ) throws(AgentError) {
        self.store = store
        self.commitMilliseconds = commitMilliseconds
        self.clock = clock
        self.contact = contact
        identity = Identity(in: store.directory)
        self.configuration = configuration ?? Configuration(in: store.directory)
        machine = Machine.describe(directory: store.directory)
        do throws(StoreError) {
            if let bound = try store.integer(.timeLowerBound) {
                clock.noteLowerBound(seconds: bound)
            }
            try belong(to: identity)
            try restoreRollbackGuard()
            try restoreTrust()
        } catch { throw .store(error) }
        try resume()
    }

    /// Takes what the operator set, and goes on counting where the last run stopped.
    package func be(thrifty thrift: Thrift) throws(AgentError) {
        self.thrift = thrift
        guard thrift.dataBytesMax != nil else { return }
        let kept = try stored { () throws(StoreError) in try store.integer(.dataOfDay) }
        if let kept { self.thrift.restore(kept) }
    }

    /// Days since 1970 in UTC; without a clock the days of no clock are one.
    private var dataDay: Int32 {
        Int32(clamping: (clock.nowMilliseconds ?? clock.lowerBoundSeconds * 1000) / 86_400_000)
    }

    /// Counts what went over the wire, and keeps the count.
    func count(wireBytes: UInt64) {
        guard thrift.dataBytesMax != nil, wireBytes > 0 else { return }
        thrift.count(wireBytes, on: dataDay)
        // On a full disk the count goes on in memory.
        try? stored { () throws(StoreError) in
            try store.set(.dataOfDay, .integer(thrift.kept))
        }
    }

    /// Milliseconds until there may be a contact; nil: there may be one now.
    func silence() -> Int64? {
        thrift.begin(dataDay)
        guard !thrift.mayTalk else { return nil }
        let now = clock.nowMilliseconds ?? 0
        return 86_400_000 - now % 86_400_000
    }

    /// 0 unless the machine runs on its battery and says how full it is.
    var batteryInUse: UInt32 { machine.powerSource == .battery ? machine.batteryPercent : 0 }

    package var budgetBytes: UInt64 {
        configuration.budgetBytes
            ?? Capabilities.derivedBudget(memoryTotalBytes: machine.memoryTotalBytes)
    }

    package func joined() throws(AgentError) -> Identity {
        guard let identity else { throw .notJoined }
        return identity
    }

    /// Turns a store's error into ours.
    func stored<T>(_ body: () throws(StoreError) -> T) throws(AgentError) -> T {
        do throws(StoreError) { return try body() } catch {
            if error == .corrupt {
                sawDamage = true
                store.markDamaged()
            }
            throw .store(error)
        }
    }

    /// Set when the database turned out to be damaged while it was in use: only a restart mends that.
    package private(set) var sawDamage = false

    /// A database that served another device, or another hub, forgets what that hub said.
    private func belong(to identity: Identity?) throws(StoreError) {
        guard let identity else { return }
        let device = [UInt8](identity.deviceID.utf8)
        let former = try store.text(.device)
        guard former != device else { return }
        try store.transaction { () throws(StoreError) in
            if former != nil { try store.forgetHub() }
            try store.set(.device, .text(device))
        }
    }

    // MARK: Days

    /// Today in the store's calendar, and minutes since its midnight.
    package func today() throws(AgentError) -> (day: BusinessDay, minutes: Int) {
        let zone = try joined().timeZone
        guard let now = clock.nowMilliseconds else {
            throw .failed(
                "this device's clock is wrong and the hub has not been reached since the start: name the day (--day YYYY-MM-DD)"
            )
        }
        var (days, minutes): (Int32, Int32) = (0, 0)
        let result = shelfcast_local_time(zone, now / 1000, &days, &minutes)
        guard result == 0 else {
            throw .failed(
                "the store's time zone \(zone) is not known on this device (is tzdata installed?)")
        }
        return (BusinessDay(daysSince1970: days), Int(minutes))
    }

    /// A day may be so far ahead of a clock that nobody has confirmed: time zones, and clocks that are late.
    package static let daysAheadMax = 7
    /// And so far once the hub has told the time: a till's midnight is a little before ours.
    static let daysAheadOfHubMax = 1

    /// What is wrong with a day that somebody names: it lies in the future. One such day, closed by a slip
    /// of the finger, would move the forecasts of the whole store there. Nil when it does not. Where the time is
    /// not known the latest that it may be counts.
    package func problem(with day: BusinessDay) -> String? {
        let now = clock.nowMilliseconds ?? clock.latestMilliseconds
        let utc = BusinessDay(daysSince1970: Int32(clamping: now / 86_400_000))
        let ahead = clock.hasHeardHub ? Self.daysAheadOfHubMax : Self.daysAheadMax
        // No store is a day behind UTC and more: nearly always its calendar need not be asked.
        guard day - utc >= ahead else { return nil }
        let today = (try? self.today().day) ?? utc  // without a time zone, UTC must do
        guard day - today > ahead else { return nil }
        return
            "day \(day.iso8601) is in the future: by this device's clock it is \(today.iso8601)"
            + (clock.nowMilliseconds == nil ? " at the latest" : "")
    }

    package func record(_ sales: [Sale]) throws(AgentError) -> [SaleOutcome] {
        guard identity != nil else { throw .notJoined }
        let holds = commitMilliseconds > 0
        let outcomes = try stored { () throws(StoreError) in
            holds ? try store.hold(sales) : try store.record(sales)
        }
        if holds, isHolding, heldSince == nil { heldSince = AgentClock.steadyMilliseconds() }
        for (sale, outcome) in zip(sales, outcomes) {
            switch outcome {
            case .recorded: noteSold(sale, counted: Int64(sale.units))
            case .returned(let uncounted):
                noteSold(sale, counted: uncounted - Int64(sale.units), uncounted: uncounted)
            case .repeated, .conflict: break
            }
        }
        return outcomes
    }

    /// What has happened since it was last asked for.
    package func takeNews() -> [News] {
        defer { news = [] }
        return news
    }

    /// What the operator chose for the sales of this device; every command keeps to it.
    package func choose(sendsTotals: Bool, outboxBytesMax: Int64) throws(AgentError) {
        try stored { () throws(StoreError) in
            try store.choose(sendsTotals: sendsTotals, outboxBytesMax: outboxBytesMax)
        }
    }

    /// Whether sales were taken that a power cut would take with it.
    package var isHolding: Bool { store.database.isHeld || store.database.hasLostHeld }

    /// When `settle` is due, in steady milliseconds.
    package var settleAt: Int64 { heldSince.map { $0 + commitMilliseconds } ?? .max }

    /// Commits what waits.
    package func settle() throws(AgentError) {
        heldSince = nil
        do throws(AgentError) {
            try stored { () throws(StoreError) in try store.settle() }
        } catch {
            // Kept, and tried again.
            heldSince = AgentClock.steadyMilliseconds()
            throw error
        }
    }

    package struct Closing: Equatable, Sendable {
        package var day: BusinessDay
        package var wasClosedBefore: Bool
        /// Forecasts of the day that were put beside what was sold.
        package var forecastsCompared: Int
        package var next: BusinessDay?
        package var nextForecasts: Int
    }

    /// Closes a business day: its forecast beside its actual, levels, the next day's forecast, and what the
    /// hub must know, in one transaction. Closing a closed day changes nothing.
    package func close(_ day: BusinessDay, isClosedAllDay: Bool) throws(AgentError) -> Closing {
        _ = try joined()
        let contradiction = try stored { () throws(StoreError) in
            guard isClosedAllDay, !(try store.isClosed(day)) else { return false }
            return try store.hasSales(on: day)
        }
        try checkIsNear(day)
        guard !contradiction else {
            throw .refused(
                "\(day.iso8601) has sales, so it was not closed all day; close it without --closed")
        }
        defer { goOnWithTrial() }
        return try stored { () throws(StoreError) in
            try store.transaction { () throws(StoreError) in
                if try store.isClosed(day) {
                    return try closing(of: day, wasClosedBefore: true, compared: 0)
                }
                if let predictor, day > predictor.asOf, try store.storedForecasts(of: day).isEmpty {
                    // Days were skipped: the forecast is made now, from the days before it alone.
                    try forecast([day], by: predictor)
                }
                let compared = try store.storedForecasts(of: day).count
                let book = try store.book(from: day, through: day)
                let own = try store.ownUnits(of: day)
                let share = try store.ownShare()
                try store.close(day, isClosedAllDay: isClosedAllDay) { item in
                    if case .store = book.knowledge(of: day) {
                        return UInt32(clamping: book.total(of: item, on: day).units ?? 0)
                    }
                    return UInt32(clamping: DayBook.scaledUp(own[item] ?? 0, by: share))
                }
                try refreshForecasts()
                try tidy(after: day)
                return try closing(of: day, wasClosedBefore: false, compared: compared)
            }
        }
    }

    /// A slip of the pen in a year must not make the device let go of everything it knows.
    private func checkIsNear(_ day: BusinessDay) throws(AgentError) {
        let known = try stored { () throws(StoreError) in
            [try store.lastOwnClose(), try store.lastStoreDay(), predictor?.asOf]
        }
        // Without a clock the days themselves are all there is to go by.
        let latest = (known + [try? today().day]).compactMap { $0 }.max()
        guard let latest, day - latest > Self.bookDaysMax else { return }
        throw .refused(
            "\(day.iso8601) is more than \(Self.bookDaysMax) days after \(latest.iso8601), the last day known here: is the year right?"
        )
    }

    private func closing(
        of day: BusinessDay, wasClosedBefore: Bool, compared: Int
    ) throws(StoreError) -> Closing {
        let next = try predictor == nil ? nil : store.lastForecastDay()
        var forecasts = 0
        if let next { forecasts = try store.storedForecasts(of: next).count }
        return Closing(
            day: day, wasClosedBefore: wasClosedBefore, forecastsCompared: compared, next: next,
            nextForecasts: forecasts)
    }

    /// Makes the forecasts that may still change anew, from what is known now. In the caller's
    /// transaction.
    func refreshForecasts() throws(StoreError) {
        guard let predictor else { return }
        try forecast(try openDays(of: predictor), by: predictor)
        if update.crashes > 0, update.candidateBeside == nil {
            _ = update.handle(.wentWell)
            try store.save(update)
        }
        shelvesAreStale = true
        if news.last != .forecasts { news.append(.forecasts) }
    }

    private func forecast(
        _ targets: [BusinessDay], by predictor: EnginePredictor
    ) throws(StoreError) {
        guard let first = targets.first, let last = targets.last else { return }
        let plan = try plan(first: first, through: last.advanced(by: -1), by: predictor)
        let release = predictor.candidate.stated.release
        workOfPredictor.mark(in: store.directory)
        defer { AtWork.none.mark(in: store.directory) }
        for target in targets {
            try store.replace(
                forecastsOf: target, by: plan.forecasts(for: target, by: predictor),
                release: release)
        }
    }

    func plan(
        first target: BusinessDay, through last: BusinessDay, by predictor: EnginePredictor
    ) throws(StoreError) -> DayPlan {
        let checkpoints = try store.checkpoints(release: predictor.candidate.stated.release)
        var base = predictor.asOf
        for point in checkpoints.values { base = max(base, point.day) }
        // Far enough for the window and for every level's recursion; what was pruned is not there.
        let first = min(target.advanced(by: -predictor.spec.window), base.advanced(by: 1))
        let bounded = max(first, target.advanced(by: -Self.bookDaysMax))
        return DayPlan(
            book: try store.book(from: bounded, through: last), checkpoints: checkpoints,
            hubLevels: try store.levels())
    }

    /// Nothing older than this is looked at, whatever a package's as-of day says.
    static let bookDaysMax = 400

    /// Keeps checkpoints of long recursions and drops the days that nothing computes from any more.
    private func tidy(after day: BusinessDay) throws(StoreError) {
        try store.forgetStock(before: day.advanced(by: -AgentStore.stockDays))
        shelvesAreStale = true
        guard let predictor else {
            try store.prune(before: day.advanced(by: -Self.bookDaysMax))
            return
        }
        let release = predictor.candidate.stated.release
        var base = predictor.asOf
        for point in try store.checkpoints(release: release).values { base = max(base, point.day) }
        if day - base > DayPlan.recursionDaysMax {
            let plan = try plan(first: day, through: day, by: predictor)
            let new = plan.newCheckpoints(closing: day, by: predictor)
            try store.keep(checkpoints: new, release: release)
            for point in new.values { base = max(base, point.day) }
        }
        let kept = min(base, day.advanced(by: -DayPlan.checkpointAgeDays))
        try store.prune(before: kept.advanced(by: -predictor.spec.window))
    }

    // MARK: Joining

    /// Takes what joining gave, and forgets what belonged to another hub.
    /// - Parameter root: the repository's root metadata.
    package func adopt(
        _ identity: Identity, root: [UInt8], configuration: Configuration
    ) throws(AgentError) {
        let fresh = try Self.rootState(root)
        if self.identity?.deviceID != identity.deviceID {
            predictor = nil
            update = Update()
            // Until the new one is whole the device counts as not joined: joining is then repeated.
            _ = shelfcast_remove(store.directory + "/" + Identity.identityFile)
        }
        try stored { () throws(StoreError) in
            try belong(to: identity)
            // Joining has told the time.
            try store.set(.timeLowerBound, .integer(clock.lowerBoundSeconds))
        }
        isCopy = false
        if let problem = Files.replace(store.directory + "/" + Self.rootFile, by: root) {
            throw .failed(problem)
        }
        trust = try stored { () throws(StoreError) in
            var state = try store.trustState()
            (state.root, state.rootExpires) = (fresh.root, fresh.rootExpires)
            try store.save(state)
            return state
        }
        if let problem = configuration.save(in: store.directory) { throw .failed(problem) }
        if let problem = identity.save(in: store.directory) { throw .failed(problem) }
        self.identity = identity
        self.configuration = configuration
    }

    package func renewed(_ certificate: [UInt8]) throws(AgentError) {
        var identity = try joined()
        guard Crypto.certificate(certificate, matches: identity.key) else {
            throw .refused("the hub's new certificate is not for this device's key")
        }
        let path = store.directory + "/" + Identity.certificateFile
        if let problem = Files.replace(path, by: certificate) { throw .failed(problem) }
        identity.certificate = certificate
        self.identity = identity
    }

    // MARK: Registration

    func registration() -> Register {
        var register = machine
        register.modelMemoryBudgetBytes = budgetBytes
        register.modelMemoryBudgetSetByOperator = configuration.budgetBytes != nil
        let measured = measured()
        register.measured = measured
        register.int8Microseconds = max(1, measured.smallNanoseconds / 1000)
        register.contact = contact == .stay ? .stay : .visit
        register.running = running
        register.labels = configuration.labels
        register.held = heldMetadata
        return register
    }

    /// Timed once after a start, and the package once after each that was activated.
    func measured() -> Measurement {
        let references = references ?? EngineTiming.references()
        self.references = references
        let digest = predictor?.candidate.stated.digest ?? []
        var measured = measurement ?? references
        if measured.packageDigest != digest {
            measured = references
            if let predictor {
                EngineTiming.add(
                    predictor.engine, digest: digest, to: &measured)
            }
        }
        measurement = measured
        measured.peakMemoryBytes = EngineTiming.peakMemoryBytes()
        return measured
    }

    func forgetMeasurement() { (references, measurement) = (nil, nil) }

    package var running: RunningPackage? {
        predictor.map {
            RunningPackage(
                digest: $0.candidate.stated.digest, release: $0.candidate.stated.release,
                arenaBytes: UInt64($0.engine.arenaBytes))
        }
    }

    /// Whether Register would say something else than last time. What changes by itself all the time
    /// (free memory, free flash, the peak of this process, a percent, a degree) is no change, and neither is the package, which has its own report.
    package var registrationChanged: Bool {
        guard var last = registered else { return false }
        var now = registration()
        (last.memoryAvailableBytes, now.memoryAvailableBytes) = (0, 0)
        (last.flashFreeBytes, now.flashFreeBytes) = (0, 0)
        (last.running, now.running) = (nil, nil)
        if let before = last.held, let held = now.held, held.needsMore(than: before) { return true }
        (last.held, now.held) = (nil, nil)
        if Capabilities.hasMoved(last.batteryPercent, now.batteryPercent)
            || Capabilities.hasMoved(last.temperatureKelvin, now.temperatureKelvin)
        {
            return true
        }
        (last.batteryPercent, now.batteryPercent) = (0, 0)
        (last.temperatureKelvin, now.temperatureKelvin) = (0, 0)
        last.measured?.peakMemoryBytes = 0
        now.measured?.peakMemoryBytes = 0
        return last != now
    }

    /// Reads the machine anew; a caller that stays connected does so now and then.
    package func lookAtMachine() {
        Machine.look(at: &machine, directory: store.directory)
    }

    package func set(configuration: Configuration) throws(AgentError) {
        guard configuration != self.configuration else { return }
        if let problem = configuration.save(in: store.directory) { throw .failed(problem) }
        self.configuration = configuration
    }
}

extension HeldMetadata {
    /// Whether the hub has something for this one that it had not for `before`: a newer timestamp, or what takes the
    /// place of metadata whose keys were replaced. That more is held is no news.
    fileprivate func needsMore(than before: HeldMetadata) -> Bool {
        wantsTimestamp && !before.wantsTimestamp || timestamp < before.timestamp
            || snapshot < before.snapshot || targets < before.targets
    }
}
