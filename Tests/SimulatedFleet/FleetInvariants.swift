import AgentCore
import HubCore

/// What must hold at every step, and at the end.
extension FleetSimulation {
    func violated(_ what: String, device: Int? = nil) {
        guard violation == nil else { return }
        var text = "\(what), on day \(now / 1_440)\nmodel: \(outcome.nature)"
        if let device {
            text +=
                "\ndevice \(device) of store \(devices[device].store), the latest:\n"
                + devices[device].trace.text
            for other in stores[devices[device].store].devices where other != device {
                text +=
                    "\ndevice \(other) of the same store:\n"
                    + devices[other].trace.tail
            }
        }
        text += "\nthe hub, the latest:\n" + hub.trace.text
        text +=
            "\nrun it alone: SHELFCAST_FLEET_SEED=\(scenario.seed)"
            + " SHELFCAST_FLEET_DEVICES=\(scenario.devices)"
            + " swift test --filter RolloutSimulation"
        record(FleetViolation(description: text))
    }

    // MARK: At every step

    func check(_ device: SimulatedDevice) {
        guard device.isUp else { return checkSlots(device) }
        if device.running != 0 {
            if !device.truth.activated.contains(device.running) {
                violated("it runs what never passed its trial there", device: device.index)
            }
            if device.truth.refused.contains(device.running) {
                violated("it runs what it refused", device: device.index)
            }
            device.truth.hadModel = true
            device.truth.isBare = false
        } else if device.truth.hadModel, !device.truth.isBare {
            let truth = device.truth
            let usable = device.disk.records.slots.first {
                $0 > 0 && models[$0]!.record.arenaBytes <= device.budget
                    && truth.activated.contains($0) && !truth.refused.contains($0)
                    && $0 != truth.ended
            }
            if let usable {
                violated(
                    "it runs nothing, though package \(usable) is there", device: device.index)
            }
            // Its budget or its disk took the model from it: until it has one again there is none.
            device.truth.hadModel = false
        }
        checkSlots(device)
        check(store: device.store)
    }

    private func checkSlots(_ device: SimulatedDevice) {
        let update = device.disk.records.update
        if let active = update.active, device.disk.records.package(in: active) == 0 {
            violated("its active slot is empty", device: device.index)
        }
        switch update.phase {
        case .idle, .fetching: break
        case .verified(let candidate), .trial(let candidate, _):
            let number = model(of: candidate).number
            if abs(device.disk.records.package(in: update.spare)) != number {
                violated("its candidate is not in its slot", device: device.index)
            }
            if let active = update.active, abs(device.disk.records.package(in: active)) == number {
                violated("its candidate is its active package", device: device.index)
            }
        }
    }

    /// Devices that forecast and are on their way to another package, and in touch: never more than the budget.
    func check(store: Int) {
        guard let budget = hub.rollouts.last?.policy.storeBudget,
            stores[store].devices.count(where: { devices[$0].isOnItsWay }) > budget
        else { return }
        let silent = now - Int(RolloutMember.placeKeptSeconds / 60)
        let busy = stores[store].devices.filter {
            let device = devices[$0]
            return device.isOnItsWay && device.truth.heardAt > silent
        }
        if busy.count > budget {
            violated(
                "\(busy.count) devices of store \(store) are on their way at once (\(busy)),"
                    + " \(budget) may be", device: busy.first)
        }
    }

    /// A wave was opened by the hub itself.
    func checkOpening(_ rollout: Int, after wave: Int, _ before: RolloutRecord) {
        let record = hub.rollouts[rollout]
        let quiet = now - 1_440 * record.policy.silentDays
        var (active, ended) = (0, 0)
        for (device, member) in hub.members[rollout].enumerated()
        where member.isThere && member.wave == wave {
            switch member.state {
            case .assigned, .trial:
                if let seen = hub.seenAt[device],
                    seen.millisecondsSince1970 >= Int64(quiet) * 60_000
                {
                    violated("wave \(wave + 2) is opened over a trial", device: device)
                }
                ended += 1
            case .active, .already:
                active += 1
                ended += 1
                if !devices[device].truth.activated.contains(member.package) {
                    violated("it counts as active and never was", device: device)
                }
            case .refused, .rolledBack, .goingBack: ended += 1
            case .waiting, .noFit, .superseded: break
            }
        }
        if ended > 0, active < record.policy.success.of(ended) {
            violated("wave \(wave + 2) is opened with \(active) of \(ended) active")
        }
        if ended > 0, record.policy.soakDays > 0,
            before.waves[wave].soakingSince == nil
                || hub.soakedDays(rollout, wave: wave) < record.policy.soakDays
        {
            violated("wave \(wave + 2) is opened before the soak was over")
        }
    }

    /// After a contact that came to its end: a model runs where one can, and none any more that the hub has taken back.
    func checkContact(_ device: SimulatedDevice) {
        if device.running == 0, device.told.wish != .noFit,
            device.disk.records.isRefused(device.told.package) == nil,
            device.truth.heardAt > hubChangedAt,
            models.values.contains(where: { $0.record.arenaBytes <= device.budget })
        {
            violated("it was in touch, and runs nothing", device: device.index)
        }
        guard device.running != 0, let model = models[device.running] else { return }
        let at = model.release - 1
        guard at < hub.rollouts.count else { return }
        let isTakenBack =
            hub.rollouts[at].state == .aborted
            || hub.rolloutStores[at][device.store].rolledBack != nil
        guard isTakenBack, let active = device.activeSlot else { return }
        switch device.phase {
        case .idle, .fetching: break
        // It is tried beside what is newer.
        case .verified, .trial: return
        }
        let other = device.disk.records.package(in: active.other)
        guard other > 0, models[other]!.release != model.release,
            models[other]!.record.arenaBytes <= device.budget,
            device.truth.activated.contains(other), !device.truth.refused.contains(other),
            device.truth.heardAt > hubChangedAt
        else { return }
        violated(
            "it runs package \(model.number) on, which was taken back, beside \(other)",
            device: device.index)
    }

    // MARK: At the end

    /// Every device has what it is to have.
    var isSettled: Bool {
        devices.allSatisfy { device in
            device.isUp && device.phase == .idle && !device.hasReport && lacks(device) == nil
        }
    }

    /// Why a device does not run the last release though it could.
    func lacks(_ device: SimulatedDevice) -> String? {
        let member = hub.members[2][device.index]
        let choice = VariantChoice.choose(
            family: "f", releaseMax: 3, store: stores[device.store].id,
            capabilities: hub.records[device.index].capabilities,
            among: models.values.map(\.record))
        guard case .run(let package, _) = choice else {
            switch member.state {
            // What it refused stays on record.
            case .noFit, .refused, .rolledBack: return nil
            default: return "nothing fits, and the hub has \(member.state)"
            }
        }
        let number = SimulatedModel.number(ofDigest: package.digest)
        if device.running == number {
            return member.state == .active || member.state == .already
                ? nil : "it runs it, and the hub has \(member.state)"
        }
        // For a fault of its own: its copy went bad, or it was cut short three times in its trial.
        if member.package == number, member.state == .refused || member.state == .rolledBack {
            return nil
        }
        return "it runs \(device.running) and should run \(number); the hub has \(member.state)"
    }

    func checkEnd() throws(FleetViolation) {
        guard hub.rollouts.count == 3 else {
            throw violation(of: "the last model was never pushed")
        }
        let second = hub.rollouts[1].state
        outcome.second = second.rawValue
        if hub.rollouts[2].state != .complete {
            throw violation(of: "the last rollout is \(hub.rollouts[2].state) at the end")
        }
        if outcome.isBad, second != .aborted {
            throw violation(of: "the bad rollout is \(second) at the end")
        }
        for device in devices {
            if let what = lacks(device) { throw violation(of: what, device.index) }
            if device.phase != .idle { throw violation(of: "it is not done", device.index) }
            if hub.running[device.index] != device.running {
                throw violation(of: "the hub and it do not agree on what runs", device.index)
            }
            if let model = models[device.running], model.release != 3 { outcome.withoutLast += 1 }
        }
        if outcome.withoutLast * 20 > devices.count {
            throw violation(of: "\(outcome.withoutLast) devices refused a good model")
        }
    }

    private func violation(of what: String, _ device: Int? = nil) -> FleetViolation {
        violated(what, device: device)
        return violation!
    }
}
