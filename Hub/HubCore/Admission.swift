import Forecasting

/// What the hub wants one device to run, over all rollouts: decided for one device when it reports, never by looking
/// at the fleet.
package struct Admission: Hashable, Sendable {
    package enum Wish: Hashable, Sendable {
        /// No rollout is for it.
        case nothing
        case run(PackageRecord, reason: String)
        /// Nothing of the family can run there: it stays as it is.
        case noFit(reason: String)
        /// The package of that digest is not wanted any more.
        case goBack(digest: [UInt8], reason: String)
    }

    /// A rollout that selects the device and does not decide for it yet.
    package struct Wait: Hashable, Sendable {
        package var rollout: UInt64
        package var reason: String

        package init(rollout: UInt64, reason: String) {
            self.rollout = rollout
            self.reason = reason
        }
    }

    /// What is known of the device beyond its record.
    package struct Facts: Hashable, Sendable {
        /// Where it stands in rollouts; at most one of each.
        package var memberships: [RolloutMember]
        /// Rollouts that were rolled back in its store, and why.
        package var rolledBack: [UInt64: String]
        /// How many other devices of its store are on their way to another package (`RolloutMember.isUnderway`).
        package var storeUnderway: Int

        package init(
            memberships: [RolloutMember] = [], rolledBack: [UInt64: String] = [:],
            storeUnderway: Int = 0
        ) {
            self.memberships = memberships
            self.rolledBack = rolledBack
            self.storeUnderway = storeUnderway
        }
    }

    /// Whose wish it is; nil with `.nothing`.
    package var rollout: RolloutRecord?
    package var wish: Wish
    /// The wave of the rollout that it belongs to.
    package var wave = 0
    /// Newer rollouts that do not admit it yet, newest first.
    package var waits: [Wait] = []
    /// Of those, in which it was on its way, or is to have the package anew: it was away meanwhile, and its place in its store
    /// was given on. It is to be noted as waiting.
    package var yields: [UInt64] = []

    /// - Parameters:
    ///   - rollouts: newest first.
    ///   - packages: of a family.
    /// - Complexity: O(rollouts + packages of those that select the device).
    package static func decide(
        for device: DeviceRecord, _ facts: Facts, rollouts: some Sequence<RolloutRecord>,
        packages: (_ family: String) throws -> [PackageRecord]
    ) rethrows -> Admission {
        let rollouts = rollouts.filter { rollout in
            rollout.selector.matches(device)
                || facts.memberships.contains { $0.rollout == rollout.id && $0.digest != nil }
        }
        // What is taken back goes first: nothing new is tried beside a package that is known to be bad. A device that has
        // nothing to go back to runs on with it; once it was told, it may go on to what is newer.
        for rollout in rollouts {
            if let back = try goBack(rollout, device, facts, packages), !back.isTold {
                return back.admission
            }
        }
        var waits: [Wait] = []
        var yields: [UInt64] = []
        /// The newest whose package it refused or rolled back.
        var lastResort: Admission?
        /// Its place in a newer one was given on, and it may not have heard of that.
        var hasYielded = false
        /// A newer one is passed over, and what runs may be of it.
        var hasPassed = false
        /// The newest that does not admit a device which runs nothing.
        var firstPackage: (rollout: RolloutRecord, wave: Int)?
        for rollout in rollouts {
            if let back = try goBack(rollout, device, facts, packages) {
                // It was told that before. What it may still be on its way to it leaves first: its place was given on.
                guard !hasYielded else { break }
                return back.admission
            }
            guard rollout.selector.matches(device) else { continue }
            let member = facts.memberships.first { $0.rollout == rollout.id }
            guard rollout.state != .aborted, facts.rolledBack[rollout.id] == nil else { continue }
            let hasIt = member?.state.hasIt ?? false
            if let member, member.state == .waiting, member.digest != nil { hasYielded = true }
            if rollout.state == .paused && !hasIt {
                waits.append(Wait(rollout: rollout.id, reason: "it is paused"))
                continue
            }
            let wave = member?.wave ?? rollout.openWave ?? 0
            guard hasIt || rollout.isOpen(wave: member?.wave) else {
                waits.append(
                    Wait(rollout: rollout.id, reason: "wave \(wave + 1) is not open yet"))
                if firstPackage == nil { firstPackage = (rollout, wave) }
                continue
            }
            let choice = try choose(rollout, device, packages)
            // What it refused or went back from it is not offered again, even if it has forgotten; that nothing of the family
            // fits for a while must not make the hub forget it.
            var hasFailed = false
            if let member, let failed = member.digest,
                member.state == .refused || member.state == .rolledBack
            {
                switch choice {
                case .run(let package, _): hasFailed = package.digest == failed
                case .noFit: hasFailed = true
                }
            }
            if hasFailed {
                waits.append(
                    Wait(
                        rollout: rollout.id, reason: "it refused the package, or went back from it")
                )
                hasPassed = true
                // Its database is lost, and with it what it knows of the package. What is older may do.
                if case .run = choice, device.running == nil, lastResort == nil {
                    lastResort = Admission(rollout: rollout, wish: Wish(choice), wave: wave)
                }
                continue
            }
            // A device takes no older release than it had.
            if hasPassed, case .run(let package, _) = choice, let running = device.running,
                package.release < running.release
            {
                continue
            }
            // Who is on its way already has been away if others are in its place.
            if case .run(let package, _) = choice,
                let device = device.running, device.digest != package.digest,
                let budget = rollout.policy.storeBudget, facts.storeUnderway >= budget
            {
                // Who runs another size of it keeps that meanwhile.
                if device.digest == member?.digest {
                    hasPassed = true
                } else if let member, member.state.after(.yielded) != member.state {
                    yields.append(rollout.id)
                    hasYielded = true
                }
                waits.append(
                    Wait(
                        rollout: rollout.id,
                        reason: "\(facts.storeUnderway) of its store's devices are being updated"))
                continue
            }
            // Something may be better than nothing, even out of its turn.
            if case .noFit = choice, device.running == nil, firstPackage != nil { continue }
            return Admission(
                rollout: rollout, wish: Wish(choice), wave: wave, waits: waits, yields: yields)
        }
        // Without it the device would forecast nothing: there is nothing to lose and nothing to compare.
        if device.running == nil, let (rollout, wave) = firstPackage {
            return Admission(
                rollout: rollout, wish: Wish(try choose(rollout, device, packages)), wave: wave,
                waits: waits.filter { $0.rollout != rollout.id })
        }
        if let lastResort { return lastResort }
        return Admission(rollout: nil, wish: .nothing, waits: waits, yields: yields)
    }

    /// The device's way back from what the rollout gave it, where that is taken back.
    private static func goBack(
        _ rollout: RolloutRecord, _ device: DeviceRecord, _ facts: Facts,
        _ packages: (_ family: String) throws -> [PackageRecord]
    ) rethrows -> (admission: Admission, isTold: Bool)? {
        guard let member = facts.memberships.first(where: { $0.rollout == rollout.id }),
            var digest = member.digest, let reason = takenBack(rollout, device, facts)
        else { return nil }
        let runs = device.running?.digest
        if let runs, runs != digest, member.state != .already,
            let package = try packages(rollout.family).first(where: { $0.digest == runs }),
            package.release == rollout.release
        {
            // It ran one size of the package, and was on its way to another.
            digest = runs
        } else {
            switch member.state {
            case .goingBack, .assigned, .trial, .active: break
            // A newer rollout had it on its way elsewhere, or its place was given on; what runs may still be this one's.
            // Nor does one that said it went back, and then lost its last write.
            case .superseded, .waiting, .refused, .rolledBack, .noFit:
                guard runs == digest else { return nil }
            case .already: return nil
            }
        }
        return (
            Admission(
                rollout: rollout, wish: .goBack(digest: digest, reason: reason), wave: member.wave),
            member.isTold
        )
    }

    private static func choose(
        _ rollout: RolloutRecord, _ device: DeviceRecord,
        _ packages: (_ family: String) throws -> [PackageRecord]
    ) rethrows -> VariantChoice {
        VariantChoice.choose(
            family: rollout.family, releaseMax: rollout.release, store: device.store,
            capabilities: device.capabilities, nanosecondsMax: rollout.nanosecondsMax,
            among: try packages(rollout.family))
    }

    /// Why the device is to leave the package that the rollout gave it, or nil.
    private static func takenBack(
        _ rollout: RolloutRecord, _ device: DeviceRecord, _ facts: Facts
    ) -> String? {
        if rollout.state == .aborted { return "rollout \(rollout.id) was aborted: \(rollout.why)" }
        return facts.rolledBack[rollout.id].map {
            "rollout \(rollout.id) was rolled back in store \(device.store.text): \($0)"
        }
    }
}

extension Admission.Wish {
    fileprivate init(_ choice: VariantChoice) {
        switch choice {
        case .run(let package, let reason): self = .run(package, reason: reason)
        case .noFit(let reason): self = .noFit(reason: reason)
        }
    }

    package var reason: String {
        switch self {
        case .nothing: "nothing is assigned to this device"
        case .run(_, let reason), .noFit(let reason), .goBack(_, let reason): reason
        }
    }
}
