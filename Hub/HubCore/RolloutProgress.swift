package import Forecasting

/// How far one rollout has come, device by device. Computed from records, never stored.
package struct RolloutProgress: Equatable, Sendable {
    package enum State: String, Sendable, CaseIterable {
        /// Selected, and not given the package yet.
        case waiting
        /// Told what to run, and not heard of since.
        case assigned
        /// It forecasts beside the active package.
        case trial
        case active
        /// The device did not activate it.
        case refused
        case goingBack = "going-back"
        case rolledBack = "rolled-back"
        /// Nothing of the family can run there; the device stays as it is.
        case noFit = "no-fit"
        /// A newer rollout decides for the device, or it was revoked.
        case superseded

        init(_ state: MemberState) {
            self =
                switch state {
                case .waiting: .waiting
                case .assigned: .assigned
                case .trial: .trial
                case .active, .already: .active
                case .refused: .refused
                case .goingBack: .goingBack
                case .rolledBack: .rolledBack
                case .noFit: .noFit
                case .superseded: .superseded
                }
        }

        /// Something is still to come of it.
        package var isOpen: Bool {
            switch self {
            case .waiting, .assigned, .trial, .goingBack: true
            case .active, .refused, .rolledBack, .noFit, .superseded: false
            }
        }
    }

    package struct Line: Equatable, Sendable {
        package var device: DeviceID
        package var store: StoreID
        package var state: State
        /// From 0 up; nil: it comes with the wave that is open.
        package var wave: Int?
        /// Of the package assigned.
        package var digest: [UInt8]?
        /// Why this package or none, or what the device said about it.
        package var reason: String
    }

    /// By store, then device.
    package var lines: [Line]

    /// Whether every device has said what became of its package, as far as there is one for it.
    package var isSettled: Bool { lines.allSatisfy { !$0.state.isOpen } }

    package func count(_ state: State) -> Int { lines.filter { $0.state == state }.count }

    /// - Parameters:
    ///   - devices: all of the fleet; the ones revoked are left out.
    ///   - members: of the rollout.
    package init(of rollout: RolloutRecord, devices: [DeviceRecord], members: [RolloutMember]) {
        let members = Dictionary(
            members.map { ($0.device, $0) }, uniquingKeysWith: { first, _ in first })
        lines =
            devices
            .filter {
                $0.status != .revoked
                    && (members[$0.id] != nil || rollout.selector.matches($0))
            }
            .map { Self.line(of: $0, rollout: rollout, member: members[$0.id]) }
            .sorted { ($0.store, $0.device) < ($1.store, $1.device) }
    }

    private static func line(
        of device: DeviceRecord, rollout: RolloutRecord, member: RolloutMember?
    ) -> Line {
        var line = Line(
            device: device.id, store: device.store, state: .waiting, wave: member?.wave,
            digest: member?.digest, reason: member?.reason ?? "")
        if let member { line.state = State(member.state) }
        switch line.state {
        case .waiting where rollout.state == .aborted:
            line.state = .superseded
            line.reason = "the rollout was aborted before its turn"
        case .waiting where device.status == .pending: line.reason = "it waits for approval"
        case .waiting where !rollout.isOpen(wave: member?.wave):
            line.reason = "its wave is not open yet"
        case .waiting where rollout.state == .paused: line.reason = "the rollout is paused"
        case .waiting where (device.lastSeenAt ?? device.joinedAt) < rollout.createdAt:
            line.reason = "it has not been in touch since the push"
        case .waiting: line.reason = "others of its store go first, or it is about to be told"
        case .assigned, .trial, .active, .refused, .goingBack, .rolledBack, .noFit, .superseded:
            break
        }
        return line
    }
}
