import Forecasting

/// Where alerts are sent, and how.
package enum AlertChannel: Hashable, Sendable, Codable {
    case webhook(url: String)
    case mail(MailRoute)
    case command(CommandRoute)

    package var text: String {
        switch self {
        case .webhook(let url): "POST \(url)"
        case .mail(let mail):
            "mail to \(mail.to.joined(separator: ", ")) by \(mail.host):\(mail.port)"
                + " (\(mail.security.rawValue))"
        case .command(let command): ([command.path] + command.arguments).joined(separator: " ")
        }
    }
}

/// A mail server and whom it is to write to.
package struct MailRoute: Hashable, Sendable, Codable {
    package static let recipientsMax = 20

    package enum Security: String, Hashable, Sendable, Codable, CaseIterable {
        /// TLS from the first byte (port 465).
        case tls
        /// A connection that is encrypted before anything is said (port 587). A server without it gets nothing.
        case starttls
        /// For a server on this machine.
        case none
    }

    package var host: String
    package var port: Int
    package var security: Security
    /// Nil: it wants no password.
    package var user: String?
    package var from: String
    package var to: [String]

    package init(
        host: String, port: Int, security: Security, user: String?, from: String, to: [String]
    ) {
        self.host = host
        self.port = port
        self.security = security
        self.user = user
        self.from = from
        self.to = to
    }
}

/// A program of the operator's that reads the notice from its standard input.
package struct CommandRoute: Hashable, Sendable, Codable {
    package static let argumentsMax = 32
    package static let secondsMax = 300

    /// Absolute.
    package var path: String
    package var arguments: [String]
    /// Then it is killed, and has failed.
    package var seconds: Int

    package init(path: String, arguments: [String], seconds: Int) {
        self.path = path
        self.arguments = arguments
        self.seconds = seconds
    }
}

/// Something nobody should read by accident: it prints as dots.
package struct AlertSecret: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    package static let bytesMax = 1_024

    package var bytes: [UInt8]

    package init(bytes: [UInt8]) { self.bytes = bytes }

    package var description: String { "•••" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// A destination of alerts.
package struct AlertDestination: Hashable, Sendable {
    package static let countMax = 32
    package static let nameBytesMax = 64

    /// As `UserRecord.isName`.
    package var name: String
    package var channel: AlertChannel
    /// What is sent there.
    package var severities: Set<AlertSeverity>
    /// Whether it is also told that an alert is resolved.
    package var isToldOfEnds: Bool
    /// The key of a webhook's signature, or the password of a mail server; nil: none.
    package var secret: AlertSecret?
    package var createdAt: Timestamp

    package init(
        name: String, channel: AlertChannel, severities: Set<AlertSeverity>, isToldOfEnds: Bool,
        secret: AlertSecret?, createdAt: Timestamp
    ) {
        self.name = name
        self.channel = channel
        self.severities = severities
        self.isToldOfEnds = isToldOfEnds
        self.secret = secret
        self.createdAt = createdAt
    }
}

/// One notice on its way to one destination: kept until it arrived, or was given up.
package struct AlertDelivery: Hashable, Sendable {
    /// Of those that are over, the latest are kept.
    package static let overKeptMax = 5_000
    /// Waiting ones; beyond, the oldest are given up.
    package static let waitingMax = 5_000

    package enum State: String, Hashable, Sendable, CaseIterable {
        case waiting
        case sent
        /// Given up after `DeliverySchedule.attemptsMax` attempts: the dead letters.
        case dead
    }

    /// Of the notice, from 1 up: the same for every destination and every attempt.
    package var notice: Int64
    package var alert: Int64
    package var destination: String
    package var severity: AlertSeverity
    /// The notice as JSON, the same bytes at every attempt.
    package var payload: String
    package var state = State.waiting
    package var createdAt: Timestamp
    package var attempts = 0
    /// When it is tried next, or when it was over.
    package var at: Timestamp
    /// Why the last attempt failed; empty: it did not.
    package var problem = ""

    package static let problemBytesMax = 512

    package init(
        notice: Int64, alert: Int64, destination: String, severity: AlertSeverity,
        payload: String, createdAt: Timestamp, at: Timestamp
    ) {
        self.notice = notice
        self.alert = alert
        self.destination = destination
        self.severity = severity
        self.payload = payload
        self.createdAt = createdAt
        self.at = at
    }
}

/// How sending to a destination goes.
package struct DeliveryStanding: Hashable, Sendable {
    /// When a notice arrived there last; nil: none that is remembered did.
    package var arrivedAt: Timestamp?
    /// Notices on their way.
    package var waiting: Int
    /// Notices that were given up.
    package var dead: Int
    /// Why the newest of these has not arrived; empty: it was not tried yet, or there is none.
    package var problem: String

    package init(
        arrivedAt: Timestamp? = nil, waiting: Int = 0, dead: Int = 0, problem: String = ""
    ) {
        self.arrivedAt = arrivedAt
        self.waiting = waiting
        self.dead = dead
        self.problem = problem
    }
}

/// When a delivery that failed is tried again: after 30 s, then twice as long each time, an hour at most, for a day.
package enum DeliverySchedule {
    package static let attemptsMax = 30
    package static let firstSeconds: Int64 = 30
    package static let secondsMax: Int64 = 3_600

    /// - Parameter attempts: made so far, 1 or more.
    /// - Returns: nil: it is given up.
    package static func secondsUntilNext(afterAttempts attempts: Int) -> Int64? {
        guard attempts < attemptsMax else { return nil }
        return min(secondsMax, firstSeconds << Int64(min(attempts - 1, 10)))
    }
}

/// What is sent of an alert: the JSON that a webhook posts and a command reads. Fields are only ever added.
package struct AlertNotice: Hashable, Sendable, Codable {
    /// Number of the notice and moment it was made: the same at every attempt, so that a receiver takes it once.
    package var id: String
    package var alert: Int64
    package var event: AlertEvent.What
    package var kind: AlertKind?
    package var severity: AlertSeverity
    package var state: AlertRecord.State
    /// `chain`, `store 3`, `device d-1`.
    package var subject: String
    package var title: String
    package var detail: String
    package var stores: [String]
    package var storeCount: Int
    /// yyyy-mm-dd.
    package var since: String?
    /// Milliseconds since 1970 UTC.
    package var openedAt: Int64
    package var at: Int64

    package init(
        number: Int64, alert: AlertRecord, event: AlertEvent.What, at: Timestamp
    ) {
        id = "\(number)-\(at.millisecondsSince1970)"
        self.alert = alert.id
        self.event = event
        kind = alert.kind
        severity = alert.severity
        state = alert.state
        subject = alert.subject.text
        title = alert.title
        detail = alert.detail
        stores = alert.stores.map(\.text)
        storeCount = alert.storeCount
        since = alert.since?.iso8601
        openedAt = alert.openedAt.millisecondsSince1970
        self.at = at.millisecondsSince1970
    }

    /// To see whether notices arrive.
    package init(testNumber number: Int64, at: Timestamp) {
        id = "\(number)-\(at.millisecondsSince1970)"
        alert = 0
        event = .test
        kind = nil
        severity = .info
        state = .resolved
        subject = "chain"
        title = "a test: alerts of this hub arrive here"
        detail = ""
        stores = []
        storeCount = 0
        openedAt = at.millisecondsSince1970
        self.at = at.millisecondsSince1970
    }
}
