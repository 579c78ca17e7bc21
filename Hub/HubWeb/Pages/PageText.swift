import FoundationEssentials
import HubCore

/// How pages say moments, sizes and digests.
enum PageText {
    /// `2026-11-21 03:20:11 UTC`
    static func moment(_ timestamp: Timestamp) -> String {
        iso8601(timestamp).replacing("T", with: " ").replacing("Z", with: " UTC")
    }

    /// `2026-11-21T03:20:11Z`
    static func iso8601(_ timestamp: Timestamp) -> String {
        Date(timeIntervalSince1970: Double(timestamp.millisecondsSince1970) / 1000)
            .formatted(.iso8601)
    }

    static func moment(_ timestamp: Timestamp?) -> String { timestamp.map { moment($0) } ?? "" }

    /// The first twelve digits.
    static func digest(_ digest: [UInt8]) -> String {
        String(DeviceMeasurement.text(digest: digest).prefix(12))
    }

    /// `814 B`, `2.5 KiB`, `16.0 MiB`
    static func bytes(_ count: UInt64) -> String {
        switch count {
        case ..<1_024: "\(count) B"
        case ..<1_048_576: Figure.fixed(Double(count) / 1_024, decimals: 1) + " KiB"
        case ..<1_073_741_824: Figure.fixed(Double(count) / 1_048_576, decimals: 1) + " MiB"
        default: Figure.fixed(Double(count) / 1_073_741_824, decimals: 1) + " GiB"
        }
    }

    /// A word with a dot whose colour says how it is meant; the word says it too.
    static func state(_ word: String, _ kind: StateKind) -> Markup {
        switch kind {
        case .good: "<span class=\"state good\">\(word)</span>"
        case .open: "<span class=\"state\">\(word)</span>"
        case .warn: "<span class=\"state warn\">\(word)</span>"
        case .bad: "<span class=\"state bad\">\(word)</span>"
        }
    }

    enum StateKind { case good, open, warn, bad }

    /// Terms and what is known of them; empty: nothing is.
    static func facts(_ list: [(String, Markup)]) -> Markup {
        let items: [Markup] = list.map { name, value in
            let none: Markup = "<span class=\"note\">not known</span>"
            return "<dt>\(name)</dt><dd>\(value.isEmpty ? none : value)</dd>\n"
        }
        return "<dl class=\"facts\">\(items)</dl>"
    }
}
