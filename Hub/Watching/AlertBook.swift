import Forecasting
package import HubCore

/// How alerts open, are repeated, give way to one of the whole chain, and resolve.
package struct AlertPolicy: Equatable, Sendable {
    /// What is new is sent after so long, in which it may turn out to concern many, or to be nothing.
    package var gatherSeconds: Int64 = 600
    /// What comes back within so long is the same alert, and no news.
    package var coolDownSeconds: Int64 = 7 * 86_400
    /// A page that nobody acknowledges is sent again after so long, `remindersMax` times.
    package var remindSeconds: Int64 = 86_400
    package var remindersMax = 3
    /// One alert of the chain speaks for its stores where so many have it, …
    package var chainStoresMin = 3
    /// … and so great a part of all, or so many whatever part they are, …
    package var chainShareMin = 0.3
    package var chainStoresMany = 20
    /// … that began within so many days.
    package var chainDays: Int64 = 7
    /// How old `seenAt` may get while nothing changes.
    package var noteSeconds: Int64 = 3_600

    package init() {}
}

/// Decides what becomes of alerts when everything was looked at. It keeps nothing and reads no clock.
package struct AlertBook: Sendable {
    /// As the audit log and histories name the hub.
    package static let author = "hub"

    private let policy: AlertPolicy
    private let silences: [AlertSilence]
    private let now: Timestamp
    private var standing: [Finding.Key: AlertRecord]
    private var over: [Finding.Key: AlertRecord]
    private var changes: [AlertChange] = []

    /// - Parameters:
    ///   - standing: every alert that is not resolved.
    ///   - resolved: those resolved within the cool-down, and any others.
    package init(
        policy: AlertPolicy = AlertPolicy(), standing: [AlertRecord], resolved: [AlertRecord],
        silences: [AlertSilence], at now: Timestamp
    ) {
        self.policy = policy
        self.silences = silences
        self.now = now
        self.standing = Dictionary(
            standing.map { (Finding.Key(kind: $0.kind, subject: $0.subject), $0) },
            uniquingKeysWith: { first, _ in first })
        let since = now.advanced(bySeconds: -policy.coolDownSeconds)
        over = Dictionary(
            resolved.filter { $0.changedAt > since }.map {
                (Finding.Key(kind: $0.kind, subject: $0.subject), $0)
            }, uniquingKeysWith: { $0.id > $1.id ? $0 : $1 })
    }

    /// - Parameters:
    ///   - findings: all that is so now, of each kind and subject one at most.
    ///   - storeCount: stores that are watched.
    ///   - endings: why something is not found any more, where more is known than that.
    /// - Returns: what is to be written, the chain's first.
    package mutating func step(
        _ findings: [Finding], storeCount: Int, endings: [Finding.Key: String] = [:]
    ) -> [AlertChange] {
        changes = []
        let chains = chainFindings(findings, storeCount: storeCount)
        // A kind that a chain-wide alert speaks for.
        let spoken = Set((chains + findings).filter { $0.key.subject == .chain }.map(\.key.kind))
        let all =
            chains.filter { chain in !findings.contains { $0.key == chain.key } }
            + findings.sorted { Self.order($0) < Self.order($1) }
        for finding in all {
            let isGrouped =
                finding.key.subject != .chain && spoken.contains(finding.key.kind)
            if let alert = standing[finding.key] {
                goOn(alert, finding, isGrouped: isGrouped)
            } else if let alert = over[finding.key] {
                comeBack(alert, finding, isGrouped: isGrouped)
            } else {
                open(finding, isGrouped: isGrouped)
            }
        }
        let found = Set(all.map(\.key))
        for (key, alert) in standing.sorted(by: { $0.value.id < $1.value.id })
        where !found.contains(key) {
            resolve(alert, why: endings[key] ?? "what it was opened for is not so any more")
        }
        return changes
    }

    private static func order(_ finding: Finding) -> (Int, String, String) {
        (
            finding.key.subject == .chain ? 0 : 1, finding.key.kind.rawValue,
            finding.key.subject.text
        )
    }

    // MARK: One event of the whole chain

    /// A chain-wide finding of each kind that many stores have since about the same time.
    private func chainFindings(_ findings: [Finding], storeCount: Int) -> [Finding] {
        var byKind: [AlertKind: [Finding]] = [:]
        for finding in findings where finding.key.subject != .chain {
            byKind[finding.key.kind, default: []].append(finding)
        }
        return AlertKind.allCases.compactMap { kind in
            guard let some = byKind[kind] else { return nil }
            let key = Finding.Key(kind: kind, subject: .chain)
            // Once it stands it stands while half as many are left.
            let ease = standing[key] == nil ? 1.0 : 0.5
            let recent = standing[key] == nil ? some.filter(isRecent) : some
            let stores = Set(recent.flatMap(\.stores)).sorted()
            let least = Double(policy.chainStoresMin) * ease
            let share = Double(storeCount) * policy.chainShareMin * ease
            let many = Double(policy.chainStoresMany) * ease
            let count = Double(stores.count)
            guard count >= least, count >= min(share, many) else { return nil }
            let shown = stores.prefix(AlertRecord.storesMax).map(\.text)
            return Finding(
                kind, .chain, recent.map(\.severity).max() ?? .warn,
                title: "\(Self.words(for: kind)) in \(stores.count) of \(storeCount) stores",
                detail: [
                    "stores " + shown.joined(separator: ", ")
                        + (stores.count > shown.count
                            ? " and \(stores.count - shown.count) more" : "")
                ] + recent.prefix(10).map(\.title), stores: stores,
                since: recent.compactMap(\.since).min())
        }
    }

    private func isRecent(_ finding: Finding) -> Bool {
        guard let alert = standing[finding.key] else { return true }
        return alert.openedAt > now.advanced(bySeconds: -policy.chainDays * 86_400)
    }

    private static func words(for kind: AlertKind) -> String {
        switch kind {
        case .demandShift: "demand left its forecasts"
        case .errorSpread: "errors scatter more than before"
        case .accuracyWorse: "forecasts got worse"
        case .noData: "nothing is known of days of business"
        case .deviceSilent: "devices are silent"
        case .batteryLow: "batteries are low"
        case .certificateExpiring: "certificates expire"
        case .memoryBudgetShrank: "devices allow their models less memory"
        }
    }

    // MARK: One alert

    private mutating func open(_ finding: Finding, isGrouped: Bool) {
        var alert = AlertRecord(
            kind: finding.key.kind, subject: finding.key.subject, severity: finding.severity,
            title: finding.title, detail: finding.detail, stores: finding.stores,
            since: finding.since, openedAt: now)
        alert.isGrouped = isGrouped
        write(&alert, .opened, finding.title)
    }

    private mutating func comeBack(
        _ before: AlertRecord, _ finding: Finding, isGrouped: Bool
    ) {
        let isWorse = finding.severity > before.severity
        // Somebody has said that it is done with.
        if before.resolvedBy != nil, before.resolvedBy != Self.author, !isWorse { return }
        var alert = before
        alert.take(finding)
        alert.state = .open
        alert.openings += 1
        alert.acknowledgedBy = nil
        alert.acknowledgedAt = nil
        alert.resolvedBy = nil
        alert.resolvedWhy = ""
        alert.isGrouped = isGrouped
        alert.changedAt = now
        alert.seenAt = now
        // Sent again only where it has become worse: whoever was told knows.
        if isWorse { alert.notices = 0 }
        write(&alert, .reopened, finding.title)
    }

    private mutating func goOn(_ before: AlertRecord, _ finding: Finding, isGrouped: Bool) {
        var alert = before
        alert.take(finding)
        var what: AlertEvent.What?
        if finding.severity > before.severity {
            what = .worse
            alert.state = .open
            alert.acknowledgedBy = nil
            alert.acknowledgedAt = nil
            alert.notices = 0
            alert.changedAt = now
        } else if finding.severity < before.severity {
            what = .better
            alert.changedAt = now
        } else if isGrouped, !before.isGrouped {
            what = .grouped
        }
        alert.isGrouped = isGrouped
        let isNews = alert != before
        if isNews || before.seenAt <= now.advanced(bySeconds: -policy.noteSeconds) {
            alert.seenAt = now
        }
        write(&alert, what, finding.title, unlessAs: before)
    }

    private mutating func resolve(_ before: AlertRecord, why: String) {
        var alert = before
        alert.state = .resolved
        alert.resolvedBy = Self.author
        alert.resolvedWhy = why
        alert.changedAt = now
        // Who was told that it began is told that it ended.
        let isSent = before.notices > 0 && !before.isGrouped && !isSilent(alert)
        alert.isGrouped = false
        changes.append(
            AlertChange(
                alert: alert,
                event: AlertEvent(at: now, author: Self.author, what: .resolved, text: why),
                isSent: isSent))
    }

    /// Adds the change, and says whether it is sent.
    private mutating func write(
        _ alert: inout AlertRecord, _ what: AlertEvent.What?, _ text: String,
        unlessAs before: AlertRecord? = nil
    ) {
        var what = what
        let isSent = isDue(alert)
        if isSent {
            if alert.notices > 0, what == nil { what = .reminded }
            alert.notices += 1
            alert.sentAt = now
        }
        guard alert != before else { return }
        changes.append(
            AlertChange(
                alert: alert,
                event: what.map { AlertEvent(at: now, author: Self.author, what: $0, text: text) },
                isSent: isSent))
    }

    private func isDue(_ alert: AlertRecord) -> Bool {
        guard alert.state == .open, !alert.isGrouped, !isSilent(alert) else { return false }
        guard alert.notices > 0 else {
            let from = max(alert.openedAt, alert.changedAt)
            return now >= from.advanced(bySeconds: policy.gatherSeconds)
        }
        guard alert.severity == .page, alert.notices <= policy.remindersMax,
            let sentAt = alert.sentAt
        else { return false }
        return now >= max(sentAt, alert.changedAt).advanced(bySeconds: policy.remindSeconds)
    }

    private func isSilent(_ alert: AlertRecord) -> Bool {
        silences.contains { $0.covers(alert, at: now) }
    }
}

extension AlertRecord {
    fileprivate mutating func take(_ finding: Finding) {
        severity = finding.severity
        title = finding.title
        detail = finding.detail
        stores = Array(finding.stores.prefix(Self.storesMax))
        storeCount = finding.stores.count
        since = finding.since
    }
}
