package import Forecasting

/// What an alert is about. Docs/alerts.md says of each what it means and what to do.
package enum AlertKind: String, Hashable, Sendable, CaseIterable, Codable {
    /// A store sells lastingly more, or less, than it is forecast.
    case demandShift = "demand-shift"
    /// A store's errors scatter more than they did.
    case errorSpread = "error-spread"
    /// A store's weekly WAPE, or its value added, got worse two weeks in a row.
    case accuracyWorse = "accuracy-worse"
    /// A store closes no business days, or closes them without sales or without forecasts.
    case noData = "no-data"
    case deviceSilent = "device-silent"
    case batteryLow = "battery-low"
    case certificateExpiring = "certificate-expiring"
    /// A device allows its model less memory than it did.
    case memoryBudgetShrank = "memory-budget-shrank"

    /// Whether a change of the store's model makes what was seen before void.
    package var endsWithModel: Bool {
        switch self {
        case .demandShift, .errorSpread, .accuracyWorse: true
        case .noData, .deviceSilent, .batteryLow, .certificateExpiring, .memoryBudgetShrank: false
        }
    }
}

/// How soon somebody should look.
package enum AlertSeverity: String, Hashable, Sendable, CaseIterable, Codable, Comparable {
    /// When there is time.
    case info
    /// In the morning.
    case warn
    /// Now.
    case page

    package static func < (a: AlertSeverity, b: AlertSeverity) -> Bool { a.rank < b.rank }

    private var rank: Int {
        switch self {
        case .info: 0
        case .warn: 1
        case .page: 2
        }
    }
}

/// Whom an alert is about.
package enum AlertSubject: Hashable, Sendable {
    /// Many stores at once.
    case chain
    case store(StoreID)
    case device(DeviceID)

    /// `chain`, `store 3`, `device d-1`: also how it is kept.
    package var text: String {
        switch self {
        case .chain: "chain"
        case .store(let store): "store \(store.text)"
        case .device(let device): "device \(device.text)"
        }
    }

    /// Nil for what `text` does not give.
    package init?(text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        switch (words.first, words.count) {
        case ("chain", 1): self = .chain
        case ("store", 2):
            guard let store = try? StoreID(String(words[1])) else { return nil }
            self = .store(store)
        case ("device", 2):
            guard let device = try? DeviceID(String(words[1])) else { return nil }
            self = .device(device)
        default: return nil
        }
    }
}
