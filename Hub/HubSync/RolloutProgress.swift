package import Forecasting
package import HubCore

/// How far one rollout has come, device by device. Computed from records, never stored.
package struct RolloutProgress: Equatable, Sendable {
    package enum State: String, Sendable, CaseIterable {
        /// Selected, and not in touch since the push.
        case waiting
        /// Told what to run, and not heard of since.
        case assigned
        /// It forecasts beside the active package.
        case trial
        case active
        /// The device did not activate it.
        case refused
        case rolledBack = "rolled-back"
        /// Nothing of the family can run there; the device stays as it is.
        case noFit = "no-fit"
        /// A newer rollout selects the device.
        case superseded
    }

    package struct Line: Equatable, Sendable {
        package var device: DeviceID
        package var store: StoreID
        package var state: State
        /// Of the package assigned.
        package var digest: [UInt8]?
        /// Why this package or none, or what the device said about it.
        package var reason: String
    }

    /// By store, then device.
    package var lines: [Line]

    /// Whether every device has said what became of its package, as far as there is one for it.
    package var isSettled: Bool {
        lines.allSatisfy { $0.state != .waiting && $0.state != .assigned && $0.state != .trial }
    }

    package func count(_ state: State) -> Int { lines.filter { $0.state == state }.count }

    /// - Parameters:
    ///   - devices: all of the fleet; the ones revoked are left out.
    ///   - rollouts: all, among them `rollout`.
    ///   - assignments: the fleet's latest, at most one for each device.
    package init(
        of rollout: RolloutRecord, devices: [DeviceRecord], rollouts: [RolloutRecord],
        assignments: [AssignmentRecord]
    ) {
        let assignments = Dictionary(
            assignments.map { ($0.device, $0) }, uniquingKeysWith: { first, _ in first })
        lines =
            devices
            .filter { $0.status != .revoked && rollout.selector.matches($0) }
            .map { device in
                Self.line(
                    of: device, rollout: rollout,
                    newest: VariantChoice.rollout(for: device, among: rollouts),
                    assignment: assignments[device.id])
            }
            .sorted { ($0.store, $0.device) < ($1.store, $1.device) }
    }

    private static func line(
        of device: DeviceRecord, rollout: RolloutRecord, newest: RolloutRecord?,
        assignment: AssignmentRecord?
    ) -> Line {
        var line = Line(
            device: device.id, store: device.store, state: .waiting, digest: nil, reason: "")
        if let newest, newest.id > rollout.id {
            line.state = .superseded
            line.reason = "rollout \(newest.id) (\(newest.family)) is newer"
            return line
        }
        guard let assignment, assignment.rollout == rollout.id else {
            line.reason =
                device.status == .pending
                ? "it waits for approval" : "it has not been in touch since the push"
            return line
        }
        line.digest = assignment.digest
        line.reason = assignment.reason
        guard let digest = assignment.digest else {
            line.state = .noFit
            return line
        }
        switch assignment.outcome {
        case .active?: line.state = .active
        case .trial?: line.state = .trial
        case .refused?:
            line.state = .refused
            line.reason = assignment.outcomeReason ?? ""
        case .rolledBack?:
            line.state = .rolledBack
            line.reason = assignment.outcomeReason ?? ""
        case nil:
            // A device that ran the package before it was assigned has nothing to report (SPEC 8.1).
            line.state = device.running?.digest == digest ? .active : .assigned
        }
        return line
    }
}
