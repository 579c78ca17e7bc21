package import Forecasting

/// Something that somebody should look at. Of each kind and subject there is one at most that is not resolved; it
/// comes back as the same alert when its cause does soon after.
package struct AlertRecord: Hashable, Sendable {
    package static let titleBytesMax = 256
    package static let detailBytesMax = 4_096
    /// That a chain-wide alert names.
    package static let storesMax = 200
    /// Alerts that are resolved, of which the latest are kept.
    package static let resolvedKeptMax = 10_000

    package enum State: String, Hashable, Sendable, CaseIterable, Codable {
        case open
        /// Somebody has seen it: it is not sent again unless it becomes more severe.
        case acknowledged
        case resolved
    }

    /// 0: not kept yet.
    package var id: Int64 = 0
    package var kind: AlertKind
    package var subject: AlertSubject
    package var severity: AlertSeverity
    package var state = State.open
    /// A line that says what is the matter, with figures.
    package var title: String
    /// Lines that explain it.
    package var detail: String
    /// Whom it concerns: the store, the store of the device, the stores of the chain-wide alert (the first
    /// `storesMax`).
    package var stores: [StoreID]
    /// How many that is, where not all are named.
    package var storeCount: Int
    /// The business day it began on, as far as that is known.
    package var since: BusinessDay?
    /// A chain-wide alert of its kind speaks for it: it is not sent by itself.
    package var isGrouped = false

    package var openedAt: Timestamp
    /// When its cause was last seen.
    package var seenAt: Timestamp
    /// Of the state, or of the severity.
    package var changedAt: Timestamp
    /// How often it was opened: more than 1 when it came back soon after it was resolved.
    package var openings = 1
    package var sentAt: Timestamp?
    /// Notices since it was opened.
    package var notices = 0
    package var acknowledgedBy: String?
    package var acknowledgedAt: Timestamp?
    /// Empty unless it is resolved.
    package var resolvedWhy = ""
    package var resolvedBy: String?
    /// Grows with every change: what was decided from an older one is not written.
    package var revision: Int64 = 0

    package init(
        kind: AlertKind, subject: AlertSubject, severity: AlertSeverity, title: String,
        detail: String = "", stores: [StoreID], since: BusinessDay? = nil, openedAt: Timestamp
    ) {
        self.kind = kind
        self.subject = subject
        self.severity = severity
        self.title = title
        self.detail = detail
        self.stores = Array(stores.prefix(Self.storesMax))
        storeCount = stores.count
        self.since = since
        self.openedAt = openedAt
        seenAt = openedAt
        changedAt = openedAt
    }
}

/// A line of an alert's history.
package struct AlertEvent: Hashable, Sendable {
    package static let textBytesMax = 1_024
    /// Of each alert, the latest this many are kept.
    package static let keptPerAlertMax = 100

    package enum What: String, Hashable, Sendable, CaseIterable, Codable {
        case opened, reopened
        /// It became more severe.
        case worse
        /// It became less severe.
        case better
        /// Still there and not acknowledged: sent again.
        case reminded
        /// A chain-wide alert speaks for it now.
        case grouped
        case acknowledged, silenced, resolved
        /// A notice made to see whether it arrives.
        case test
    }

    package var at: Timestamp
    /// As in the audit log.
    package var author: String
    package var what: What
    package var text: String

    package init(at: Timestamp, author: String, what: What, text: String = "") {
        self.at = at
        self.author = author
        self.what = what
        self.text = text
    }
}

/// What is not to be sent for a while: alerts of a kind, about somebody, or both. They still open, are listed, and
/// resolve.
package struct AlertSilence: Hashable, Sendable {
    package static let keptMax = 1_000
    /// Nothing is silent for longer: who wants that lifts the cause or the delivery.
    package static let secondsMax: Int64 = 90 * 86_400

    package var id: Int64 = 0
    /// Nil: every kind.
    package var kind: AlertKind?
    /// Nil: whoever. A store includes its devices.
    package var subject: AlertSubject?
    package var from: Timestamp
    package var until: Timestamp
    package var author: String
    package var why: String

    package init(
        kind: AlertKind?, subject: AlertSubject?, from: Timestamp, until: Timestamp,
        author: String = "", why: String
    ) {
        self.kind = kind
        self.subject = subject
        self.from = from
        self.until = until
        self.author = author
        self.why = why
    }

    package func covers(_ alert: AlertRecord, at now: Timestamp) -> Bool {
        guard from <= now, now < until else { return false }
        if let kind, kind != alert.kind { return false }
        switch subject {
        case nil: return true
        case .store(let store)?:
            return alert.subject != .chain && alert.stores.contains(store)
        case let subject?: return subject == alert.subject
        }
    }
}

/// Which alerts are asked for.
package struct AlertQuery: Hashable, Sendable {
    package static let countMax = 10_000

    package var states: Set<AlertRecord.State>
    package var severityMin = AlertSeverity.info
    package var kind: AlertKind?
    /// About it, its devices, or naming it.
    package var store: StoreID?
    package var device: DeviceID?
    /// Without those that a chain-wide alert speaks for.
    package var leavesOutGrouped = false
    /// Changed after that.
    package var changedSince: Timestamp?
    /// Only with smaller numbers: the next page.
    package var before: Int64?
    package var countMax: Int

    package init(
        states: Set<AlertRecord.State> = [.open, .acknowledged], countMax: Int = 1_000
    ) {
        self.states = states
        self.countMax = min(max(0, countMax), Self.countMax)
    }
}

/// What a look at everything came to: written whole, each part only where its alert still is as it was looked at.
package struct AlertChange: Hashable, Sendable {
    /// As it is afterwards; number 0: a new one.
    package var alert: AlertRecord
    /// Nil: only that it was seen again.
    package var event: AlertEvent?
    /// It goes to the destinations that want its severity.
    package var isSent: Bool

    package init(alert: AlertRecord, event: AlertEvent?, isSent: Bool) {
        self.alert = alert
        self.event = event
        self.isSent = isSent
    }
}
