import AgentCore
import Forecasting
import HubCore
import UpdateTrust

/// Some thousand devices and their hub, for some months, in a second: time, network and disks are values, and what goes wrong
/// follows from a seed. What decides on either side is what ships.
///
/// One story each time: release 1 is pushed to a fleet that runs nothing; some days later release 2, which is good or bad in one of
/// several ways; then release 3, which is good. Operators look in the morning, and some press buttons at random. Until
/// everything has calmed down, messages are lost, late or twice, regions are cut off for days, devices lose their power in the
/// middle of a write, their clocks, memory or databases, and the hub ends between two writes.
package final class FleetSimulation {
    struct Store {
        let id: StoreID
        let region: Int
        /// Minutes its midnight is before UTC's.
        let offset: Int
        var devices: [Int]
    }

    struct Partition {
        var region: Int
        var minutes: Range<Int>
    }

    static let regions = 5
    /// Days are counted from here, so that no store's day is negative.
    static let firstDay = 100
    /// Nothing goes wrong any more from here at the latest.
    static let faultsEnd = (firstDay + 70) * 1_440
    /// Everything is at its end by then.
    static let end = (firstDay + 260) * 1_440

    package let scenario: FleetScenario
    package internal(set) var outcome = FleetOutcome()
    var chance: Chance
    private(set) var now = firstDay * 1_440
    private(set) var stores: [Store] = []
    private(set) var devices: [SimulatedDevice] = []
    private(set) var models: [Int: SimulatedModel] = [:]
    private(set) var hub: SimulatedHub!
    private var queue = EventQueue()
    private var letters: [Int: Letter] = [:]
    private var partitions: [Partition] = []
    private let nature: ModelNature
    private let policy: RolloutPolicy
    private let lossy: Double
    private let hasRestlessOperator: Bool
    private var pushAt: [Int]
    /// Since when nothing goes wrong any more; nil: it still does.
    private var calmSince: Int?
    private var isInterleaving = false
    private var changedAt = Int.max
    private(set) var violation: FleetViolation?
    var hubChangedAt: Int { changedAt }
    private var isEnded = false

    private enum Letter {
        case message(Message)
        case answer(Desired)
    }

    package init(_ scenario: FleetScenario) {
        self.scenario = scenario
        chance = Chance(seed: scenario.seed)
        nature = ModelNature.second[chance.within(0...ModelNature.second.count - 1)]
        var policy = RolloutPolicy()
        policy.trialDays = chance.within(1...4)
        policy.soakDays = chance.within(0...1)
        policy.storeBudget = chance.within(1...2)
        let steps = ["1%,10%,50%,100%", "3,20%,100%", "1,50%,100%"][chance.within(0...2)]
        policy.waves = try! RolloutWaves(steps)  // they are read above
        if chance.happens(0.3) { policy.window = try! OpeningWindow("21:00-06:30") }
        self.policy = policy
        lossy = [0.001, 0.01, 0.05][chance.within(0...2)]
        hasRestlessOperator = chance.happens(0.4)
        let second = now + chance.within(3 * 1_440...5 * 1_440)
        // Sometimes before the second has come to its end.
        let third = chance.happens(0.3) ? second + chance.within(3 * 1_440...12 * 1_440) : Int.max
        pushAt = [now + 600, second, third]
        makeModels()
        makeStores()
        hub = SimulatedHub(self, devices: devices.map { record(of: $0) })
        outcome.devices = devices.count
        outcome.stores = stores.count
        outcome.nature = nature.name
        outcome.isBad = nature.isBad
    }

    private func makeModels() {
        for (release, nature) in [(1, ModelNature.first), (2, nature), (3, .final)] {
            for isSmall in [false, true] {
                let model = SimulatedModel(
                    release: release, isSmall: isSmall, nature: nature, seed: scenario.seed)
                models[model.number] = model
            }
        }
    }

    private func makeStores() {
        let offsets = [-480, -300, 0, 60, 570]
        while devices.count < scenario.devices {
            let number = stores.count
            let region = chance.within(0...Self.regions - 1)
            var store = Store(
                id: try! StoreID("\(number)"), region: region, offset: offsets[region], devices: [])
            stores.append(store)
            for _ in 0..<chance.within(1...6) {
                let kind = chance.unit()
                let size = chance.unit()
                devices.append(
                    SimulatedDevice(
                        devices.count, store: number,
                        contact: kind < 0.4 ? .stay : kind < 0.85 ? .visit : .erratic,
                        isSlow: chance.happens(0.02),
                        budget: size < 0.6 ? 1_000_000 : size < 0.98 ? 100_000 : 10_000, in: self))
                store.devices.append(devices.count - 1)
            }
            stores[number] = store
        }
    }

    private func record(of device: SimulatedDevice) -> DeviceRecord {
        // Numbers are ids.
        DeviceRecord(
            id: try! DeviceID("\(device.index)"), store: stores[device.store].id,
            status: .approved, labels: [], token: 1,
            joinedAt: Timestamp(millisecondsSince1970: 0))
    }

    func record(_ violation: FleetViolation) { self.violation = violation }

    func model(of candidate: Candidate) -> SimulatedModel {
        models[SimulatedModel.number(ofDigest: candidate.stated.digest)]!
    }

    // MARK: What goes wrong

    private var isCalm: Bool { calmSince != nil }

    private func isCutOff(_ device: SimulatedDevice) -> Bool {
        guard !isCalm else { return false }
        if device.isAwayUntil > now { return true }
        let region = stores[device.store].region
        return partitions.contains { $0.region == region && $0.minutes.contains(now) }
    }

    private func makeFaults() {
        for _ in 0..<chance.within(1...2) {
            let from = now + chance.within(2 * 1_440...40 * 1_440)
            partitions.append(
                Partition(
                    region: chance.within(0...Self.regions - 1),
                    minutes: from..<from + chance.within(1_440...9 * 1_440)))
        }
        for _ in 0..<chance.within(2...5) {
            queue.add(.hubFault, at: now + chance.within(60...60 * 1_440))
        }
        for device in devices.indices {
            queue.add(.fault(device), at: now + chance.within(60...40 * 1_440))
        }
    }

    private func fault(_ device: SimulatedDevice) {
        guard !isCalm else { return }
        queue.add(.fault(device.index), at: now + chance.within(5 * 1_440...40 * 1_440))
        switch chance.within(0...19) {
        case 0...7:
            let cuts: [SimulatedDisk.Cut] = [.before, .after, .torn]
            device.disk.arm(cuts[chance.within(0...2)], afterWrites: chance.within(1...8))
        case 8...10:
            // Pulled out: nothing was being written.
            if device.isUp { ended(device, .powerCut) }
        case 11...13:
            device.skew = chance.within(-3 * 1_440...5 * 1_440)
            if device.isUp { ended(device, .powerCut) }
        case 14...15:
            let budgets = [1_000_000, 100_000, 100_000, 10_000]
            device.setBudget(budgets[chance.within(0...3)])
            if device.isUp { ended(device, .powerCut) }
        case 16:
            outcome.databasesLost += 1
            if device.isUp { ended(device, .powerCut) }
            device.loseDatabase()
        case 17 where chance.happens(0.15):
            device.spoil()
            if device.isUp { ended(device, .powerCut) }
        default:
            device.isAwayUntil = now + chance.within(2 * 1_440...12 * 1_440)
        }
    }

    private func ended(_ device: SimulatedDevice, _ how: Ending) {
        switch how {
        case .powerCut: outcome.powerCuts += 1
        case .crash: outcome.agentCrashes += 1
        }
        device.end(how)
        let rest = how == .crash || chance.happens(0.8) ? 10 : 3 * 1_440
        queue.add(.start(device.index), at: now + chance.within(1...rest))
    }

    private func hubEnded() {
        outcome.hubCrashes += 1
        hub.goDown()
        for device in devices { device.isConnected = false }
        let rest = chance.happens(0.85) ? 300 : 5 * 1_440
        queue.add(.hubBack, at: now + chance.within(2...rest))
    }

    /// Between the hub's reading and writing for one device another one of the store may come.
    func interleave(with device: Int) {
        guard !isInterleaving, !isCalm, chance.happens(0.02) else { return }
        isInterleaving = true
        defer { isInterleaving = false }
        let others = stores[devices[device].store].devices
        let other = devices[others[chance.within(0...others.count - 1)]]
        guard other.index != device, other.isUp, !isCutOff(other) else { return }
        // Its answer is lost.
        _ = try? hub.answer(
            .register(running: other.running, budget: other.budget), of: other.index)
        other.isConnected = false
        other.epoch += 1
        come(other, at: now + chance.within(1...10))
    }

    // MARK: The network

    /// A message and its answer.
    /// - Returns: nil: the connection is gone, or the answer takes its time.
    private func exchange(_ message: Message, with device: SimulatedDevice) -> Answer? {
        let isFaulty = !isCalm && chance.happens(lossy)
        let fault = isFaulty ? chance.within(0...3) : -1
        if fault == 0 {
            outcome.messagesLost += 1
            return disconnected(device)
        }
        if fault == 1 {
            // The device gives it up, and it arrives all the same.
            outcome.messagesLate += 1
            queue.add(
                .late(device.index, letter: keep(.message(message))),
                at: now + chance.within(1...4))
            return disconnected(device)
        }
        let answer: Answer
        do throws(HubDown) {
            answer = try hub.answer(message, of: device.index)
        } catch {
            hubEnded()
            return nil
        }
        if fault == 2 {
            outcome.messagesLost += 1
            return disconnected(device)
        }
        if fault == 3, case .desired(let desired) = answer {
            outcome.messagesLate += 1
            queue.add(
                .answer(device.index, epoch: device.epoch, letter: keep(.answer(desired))),
                at: now + chance.within(1...40))
            device.isWaiting = true
            return nil
        }
        if case .refused = answer { return disconnected(device) }
        return answer
    }

    private func keep(_ letter: Letter) -> Int {
        let number = queue.count
        letters[number] = letter
        return number
    }

    private func disconnected(_ device: SimulatedDevice) -> Answer? {
        device.isConnected = false
        device.epoch += 1
        return nil
    }

    /// The next contact; whatever was planned before is not any more.
    private func come(_ device: SimulatedDevice, at minute: Int) {
        device.contactAt = minute
        queue.add(.contact(device.index), at: minute)
    }

    /// A device comes to the hub.
    private func contact(_ device: SimulatedDevice) throws(Ending) {
        guard device.isUp, !device.isConnected || device.isWaiting else { return }
        device.isWaiting = false
        device.epoch += 1
        guard hub.isUp, !isCutOff(device) else {
            come(device, at: now + chance.within(20...240))
            return
        }
        device.heard()
        device.isConnected = true
        let answer = exchange(
            .register(running: device.running, budget: device.budget), with: device)
        guard case .desired(let desired)? = answer else {
            // Else an answer is on its way, or lost for good.
            come(device, at: now + chance.within(1...60))
            return
        }
        try device.consider(desired)
        try converse(device)
    }

    /// All that a device has to say once it is registered.
    private func converse(_ device: SimulatedDevice) throws(Ending) {
        let didAll = try say(device)
        if didAll { checkContact(device) }
        guard !didAll || device.contact != .stay else { return }
        device.isConnected = false
        device.epoch += 1
        let next = didAll ? chance.within(1_296...1_584) : chance.within(1...60)
        come(device, at: now + next)
    }

    private func say(_ device: SimulatedDevice) throws(Ending) -> Bool {
        let unsent = device.disk.records.unsent
        if !unsent.isEmpty {
            guard case .stored? = exchange(.upload(unsent), with: device) else { return false }
            device.heard()
            try device.sent(unsent.count)
        }
        var wanted = device.wanted
        while let model = wanted {
            guard case .chunk? = exchange(.fetch(package: model.number), with: device) else {
                return false
            }
            try device.takeChunk(of: model.number)
            wanted = device.wanted
        }
        while let report = device.disk.records.reports.first {
            let message = Message.report(report, running: device.running)
            guard case .noted? = exchange(message, with: device) else { return false }
            try device.noted(report.package)
            tellStore(device.store)
        }
        return true
    }

    /// Connected devices of a store are looked at again: one of it may be done.
    private func tellStore(_ store: Int) {
        for other in stores[store].devices where devices[other].isConnected {
            queue.add(.look(other, epoch: devices[other].epoch), at: now + chance.within(0...2))
        }
    }

    private func tellAll() {
        changedAt = now
        for device in devices where device.isConnected {
            queue.add(
                .look(device.index, epoch: device.epoch), at: now + chance.within(0...5))
        }
    }

    // MARK: The loop

    /// - Throws: what must never happen.
    package func run() throws(FleetViolation) -> FleetOutcome {
        makeFaults()
        for device in devices {
            queue.add(.start(device.index), at: now + chance.within(0...1_440))
            queue.add(.close(device.index), at: closing(of: device))
        }
        queue.add(.turn, at: now)
        queue.add(.operatorLooks, at: now + 540)
        if hasRestlessOperator {
            for _ in 0..<chance.within(2...6) {
                queue.add(.operatorActs, at: now + chance.within(4 * 1_440...40 * 1_440))
            }
        }
        while !isEnded, violation == nil, let event = queue.next() {
            now = event.minute
            outcome.events += 1
            happen(event.happening)
        }
        if let violation { throw violation }
        try checkEnd()
        outcome.days = now / 1_440 - Self.firstDay
        return outcome
    }

    private func happen(_ happening: Happening) {
        switch happening {
        case .start(let number):
            act(number) { (device) throws(Ending) in
                guard !device.isUp else { return }
                try device.start()
                come(device, at: now + chance.within(0...5))
            }
        case .contact(let number):
            act(number) { (device) throws(Ending) in
                if device.contactAt == now { try contact(device) }
            }
        case .close(let number):
            queue.add(.close(number), at: now + 1_440)
            act(number) { (device) throws(Ending) in
                guard device.isUp else { return }
                do throws(Ending) {
                    try device.close()
                } catch {
                    // Whoever closes tries again.
                    queue.add(.close(number), at: now + 30)
                    throw error
                }
                if let wait = device.minutesToWindow { queue.add(.window(number), at: now + wait) }
                guard device.isConnected, !device.isWaiting, device.contact == .stay else {
                    return
                }
                guard hub.isUp, !isCutOff(device) else {
                    device.isConnected = false
                    come(device, at: now + chance.within(1...60))
                    return
                }
                try converse(device)
            }
        case .window(let number):
            act(number) { (device) throws(Ending) in
                guard device.isUp else { return }
                try device.goOnWithTrial()
                if let wait = device.minutesToWindow, wait > 0 {
                    queue.add(.window(number), at: now + wait)
                }
            }
        case .fault(let number):
            fault(devices[number])
        case .look(let number, let epoch):
            act(number) { (device) throws(Ending) in
                guard device.isUp, device.isConnected, !device.isWaiting, device.epoch == epoch,
                    hub.isUp
                else { return }
                guard !isCutOff(device) else {
                    device.isConnected = false
                    come(device, at: now + chance.within(1...60))
                    return
                }
                let desired: Desired?
                do throws(HubDown) { desired = try hub.look(at: number) } catch {
                    return hubEnded()
                }
                guard let desired else { return }
                try device.consider(desired)
                try converse(device)
            }
        case .answer(let number, let epoch, let letter):
            guard case .answer(let desired)? = letters.removeValue(forKey: letter) else { return }
            act(number) { (device) throws(Ending) in
                guard device.isUp, device.isConnected, device.epoch == epoch, hub.isUp else {
                    return
                }
                device.isWaiting = false
                try device.consider(desired)
                try converse(device)
            }
        case .late(let number, let letter):
            guard case .message(let message)? = letters.removeValue(forKey: letter), hub.isUp
            else { return }
            do throws(HubDown) { _ = try hub.answer(message, of: number) } catch { hubEnded() }
            // Who registers takes the device's seat: the hub closes the connection that is on it.
            if case .register = message, devices[number].isConnected {
                _ = disconnected(devices[number])
                come(devices[number], at: now + 1)
            }
        case .turn:
            queue.add(.turn, at: now + 15)
            guard hub.isUp else { return }
            do throws(HubDown) {
                if try hub.turn() { tellAll() }
            } catch { hubEnded() }
        case .hubFault:
            guard !isCalm else { return }
            hub.arm(afterWrites: chance.within(1...300))
        case .hubBack:
            hub.comeBack()
            for device in devices where device.contact == .stay && device.isUp {
                come(device, at: now + chance.within(0...10))
            }
        case .operatorLooks:
            queue.add(.operatorLooks, at: now + 1_440)
            operatorLooks()
        case .operatorActs: operatorActs()
        }
    }

    private func act(_ number: Int, _ body: (SimulatedDevice) throws(Ending) -> Void) {
        let device = devices[number]
        do throws(Ending) { try body(device) } catch { ended(device, error) }
        check(device)
    }

    private func closing(of device: SimulatedDevice) -> Int {
        let evening = 20 * 60 + chance.within(0...90) - stores[device.store].offset
        return now + (evening + 2_880) % 1_440
    }

    /// One day of the week, and a week of holidays somewhere.
    func isShut(_ store: Int, _ day: Int) -> Bool {
        let weekday = Int(Chance.fixed(scenario.seed, store, 1) * 7)
        let holidays = Self.firstDay + Int(Chance.fixed(scenario.seed, store, 2) * 200)
        return day % 7 == weekday || (holidays..<holidays + 6).contains(day)
    }

    // MARK: Errors

    /// Item by item over all devices, as both programs' tests have them.
    func addPairs(of devices: [(device: Int, days: [PairedDay])], to errors: inout PairedErrors) {
        for item in 0..<SimulatedModel.itemsPerDevice {
            for (device, days) in devices {
                let store = self.devices[device].store
                for pair in days {
                    let sold = SimulatedModel.sold(
                        scenario.seed, device: device, item: item, day: pair.day)
                    errors.add(
                        actual: sold,
                        active: models[pair.active]!.forecast(
                            device: device, store: store, item: item, day: pair.day, sold: sold),
                        candidate: models[pair.candidate]!.forecast(
                            device: device, store: store, item: item, day: pair.day, sold: sold))
                }
            }
            errors.endItem()
        }
    }

    // MARK: Operators

    private func push(_ release: Int) {
        var policy = policy
        if release == 1 {
            policy = .atOnce
            policy.storeBudget = self.policy.storeBudget
        }
        // What is slow on a slow device is refused there.
        hub.push(release: release, policy, nanosecondsMax: 50_000)
        tellAll()
    }

    private func change(_ rollout: Int, by event: RolloutEvent) {
        hub.change(rollout, by: event)
        tellAll()
    }

    /// Each morning: what a careful person does.
    private func operatorLooks() {
        if !isCalm, now >= Self.faultsEnd { calm() }
        if hub.rollouts.count < 3, now >= pushAt[hub.rollouts.count] {
            push(hub.rollouts.count + 1)
        }
        for rollout in hub.rollouts {
            let at = Int(rollout.id) - 1
            let isBad = at == 1 && nature.isBad
            let days = (now - Int(rollout.stateSince.millisecondsSince1970 / 60_000)) / 1_440
            let standsSince =
                rollout.openWave.flatMap { rollout.waves[$0].openedAt }
                .map { (now - Int($0.millisecondsSince1970 / 60_000)) / 1_440 } ?? 0
            switch rollout.state {
            case .aborted: continue
            case .complete:
                if isBad, days >= 2 { change(at, by: .abort(why: "it is bad")) }
            case .paused:
                if isBad {
                    change(at, by: .abort(why: "it is bad"))
                } else {
                    change(
                        at,
                        by: .resume(why: "looked at", failures: hub.rolloutFacts(at).failures))
                }
            case .running:
                if isBad, days >= 15 {
                    change(at, by: .abort(why: "it is bad"))
                } else if at > 0, standsSince >= 25 {
                    change(at, by: .promote(why: "it takes too long"))
                }
            }
        }
        if hub.rollouts.count == 2, pushAt[2] == .max, hub.rollouts[1].state != .running,
            hub.rollouts[1].state != .paused
        {
            pushAt[2] = now + chance.within(0...6) * 1_440
        }
        if hub.rollouts.count == 3, hub.rollouts[2].state == .complete {
            if calmSince == nil { calm() }
            if isSettled { isEnded = true }
        }
        if now >= Self.end { isEnded = true }
    }

    /// And what a restless one does.
    private func operatorActs() {
        guard !isCalm, let at = hub.rollouts.indices.last, at > 0 else { return }
        let isLast = at == 2
        switch chance.within(0...3) {
        case 0: change(at, by: .pause(why: "a look"))
        case 1: change(at, by: .resume(why: "fine", failures: hub.rolloutFacts(at).failures))
        case 2: change(at, by: .promote(why: "faster"))
        default: if !isLast { change(at, by: .abort(why: "no more of it")) }
        }
    }

    /// From now on nothing goes wrong, and everybody comes back.
    private func calm() {
        calmSince = now
        for device in devices {
            device.skew = 0
            device.disk.disarm()
            if device.isUp {
                device.isConnected = false
                come(device, at: now + chance.within(0...120))
            }
        }
    }
}
