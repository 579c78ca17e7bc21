/// Whether the hub trains its models anew by itself.
package enum AutopilotMode: String, Hashable, Sendable, Codable, CaseIterable {
    case off
    /// Everything up to the push, which is left to a person.
    case advise
    case on
}

/// What an operator has settled for the autopilot.
package struct AutopilotSettings: Hashable, Sendable, Codable {
    package static let everyDaysRange = 1...365
    package static let minutesRange = 1...1440

    package var mode = AutopilotMode.off
    /// Days from one run to the next where nothing drifts.
    package var everyDays = 28
    /// What one run may take; then it is ended, and nothing of it is used.
    package var minutesMax = 60
    /// How a better model comes to the devices.
    package var policy = RolloutPolicy()

    package init() {}
}
