/// Counts and ages as people read them.
extension Figure {
    /// `1 device`, `2 devices`.
    package static func count(_ count: Int, _ noun: String) -> String {
        "\(count) \(noun)\(count == 1 ? "" : "s")"
    }

    /// `12 s ago`, for a person who wonders whether a device is alive.
    package static func age(_ timestamp: Timestamp?, now: Timestamp) -> String {
        guard let timestamp else { return "never" }
        let seconds = (now.millisecondsSince1970 - timestamp.millisecondsSince1970) / 1000
        switch seconds {
        case ..<0: return "in the future"
        case ..<120: return "\(seconds) s ago"
        case ..<7200: return "\(seconds / 60) min ago"
        case ..<172_800: return "\(seconds / 3600) h ago"
        default: return "\(seconds / 86_400) d ago"
        }
    }
}
