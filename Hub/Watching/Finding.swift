package import Forecasting
package import HubCore

/// Something that is so now: what an alert is opened for, and stands as long as it is found again.
package struct Finding: Hashable, Sendable {
    package struct Key: Hashable, Sendable {
        package var kind: AlertKind
        package var subject: AlertSubject

        package init(kind: AlertKind, subject: AlertSubject) {
            self.kind = kind
            self.subject = subject
        }
    }

    package var key: Key
    package var severity: AlertSeverity
    package var title: String
    package var detail: String
    package var stores: [StoreID]
    package var since: BusinessDay?

    package init(
        _ kind: AlertKind, _ subject: AlertSubject, _ severity: AlertSeverity, title: String,
        detail: [String] = [], stores: [StoreID], since: BusinessDay? = nil
    ) {
        key = Key(kind: kind, subject: subject)
        self.severity = severity
        self.title = title
        self.detail = detail.joined(separator: "\n")
        self.stores = stores
        self.since = since
    }
}
