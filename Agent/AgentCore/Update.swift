package import Forecasting
package import UpdateTrust

/// Which of the two places a package lies in.
package enum Slot: UInt8, Equatable, Sendable {
    case first = 1
    case second = 2

    package var other: Slot { self == .first ? .second : .first }
}

/// A package the hub wants here: what signed metadata says of it.
package struct Candidate: Equatable, Sendable {
    package var stated: StatedPackage

    package init(stated: StatedPackage) {
        self.stated = stated
    }
}

/// Why a package does not become the active one.
package enum RefusalReason: Equatable, Sendable {
    /// What arrived is not what the digest names. Tried again a few times: the copy may have been bad.
    case download(String)
    /// Does not fit this device's memory budget; another budget may change that.
    case budget(String)
    /// The package itself. Never tried again.
    case package(String)

    package var text: String {
        switch self {
        case .download(let text), .budget(let text), .package(let text): text
        }
    }
}

/// How the hub wants a package to be taken up. Kept with the state: a device that is cut off for a week goes by it.
package struct UpdateTerms: Equatable, Sendable {
    package static let trialDaysMax = 28

    /// Closed days on which the candidate is to have forecast beside the active package, 0...`trialDaysMax`.
    package var trialDays: Int
    /// What one forecast may take here; 0: anything.
    package var nanosecondsMax: UInt64
    /// What the update may fetch; 0: anything.
    package var fetchBytesMax: UInt64
    /// What it may fetch over a link that is paid for by the byte; 0: what the device allows by itself.
    package var meteredBytesMax: UInt64
    /// When the active package may change.
    package var window: DayWindow?

    package init(
        trialDays: Int = 0, nanosecondsMax: UInt64 = 0, fetchBytesMax: UInt64 = 0,
        meteredBytesMax: UInt64 = 0, window: DayWindow? = nil
    ) {
        self.trialDays = min(max(trialDays, 0), Self.trialDaysMax)
        self.nanosecondsMax = nanosecondsMax
        self.fetchBytesMax = fetchBytesMax
        self.meteredBytesMax = meteredBytesMax
        self.window = window
    }
}

/// A stretch of each day in the store's time, from a minute up to another, over midnight too.
package struct DayWindow: Equatable, Sendable {
    package static let minutesOfDay = 1440

    /// 0...1439
    package let from: Int
    /// 0...1439; equal to `from`: the whole day.
    package let until: Int

    /// - Returns: nil when a minute is none of a day.
    package init?(from: Int, until: Int) {
        guard (0..<Self.minutesOfDay).contains(from), (0..<Self.minutesOfDay).contains(until)
        else { return nil }
        self.from = from
        self.until = until
    }

    package func contains(minute: Int) -> Bool {
        from < until ? (from..<until).contains(minute) : minute >= from || minute < until
    }

    /// Until it opens; 0 while it is open.
    package func minutesUntilOpen(from minute: Int) -> Int {
        contains(minute: minute)
            ? 0 : (from - minute + Self.minutesOfDay) % Self.minutesOfDay
    }
}

/// How far a candidate has come in proving itself on this device.
package enum TrialStage: Equatable, Sendable {
    /// Golden vectors, memory and time. `attempts` counts the starts.
    case proving(attempts: Int)
    /// Its forecasts are made beside the active package's. `compared` days so far, `through` the last one looked at.
    case beside(compared: Int, since: BusinessDay, through: BusinessDay)
    /// It has passed, and waits for its window.
    case due
}

/// What a closed day says of a candidate.
package enum DayVerdict: Equatable, Sendable {
    /// Nothing could be compared.
    case silent
    case notWorse
    /// With the figures.
    case worse(String)
}

/// Where a device stands between the package it runs and the one it should run.
///
/// The caller writes the new state and what the action leaves behind in one transaction before it acts,
/// and after a restart feeds `.restarted`: every action is safe to repeat.
package struct Update: Equatable, Sendable {
    /// How often a trial may be cut short (by a crash or a power cut) before the package is blamed.
    package static let trialsMax = 3
    /// How often in a row a package may take the agent down while it works.
    package static let crashesMax = 3
    /// So many days longer than asked a trial may last when there is nothing to compare.
    package static let silentDaysMax = 14

    package enum Phase: Equatable, Sendable {
        case idle
        /// Its bytes are arriving; those received are kept.
        case fetching(Candidate)
        /// All its bytes lie in the inactive slot, and are those that were signed for.
        case verified(Candidate)
        /// It is being proved, on its own and then beside the active one.
        case trial(Candidate, TrialStage)
    }

    package enum Event: Equatable, Sendable {
        case offered(Candidate, UpdateTerms)
        /// The hub wants nothing else any more.
        case withdrawn
        /// The hub takes a package back: the active one, or the one on its way.
        /// - Parameter otherSlotIsUsable: holds a package that was active here before.
        case takenBack(String, isActive: Bool, otherSlotIsUsable: Bool)
        case fetched
        case checked
        /// - Parameter on: the first day it can forecast beside.
        case proved(on: BusinessDay)
        /// A closed day, later than all before.
        case compared(BusinessDay, DayVerdict)
        /// The window may have opened.
        case looked
        case failed(RefusalReason)
        /// The active package no longer loads.
        /// - Parameter otherSlotIsUsable: holds a package that loads, and that was active here before or has passed its proof.
        case activeBroken(String, otherSlotIsUsable: Bool)
        /// The agent ended while a package was at work in it.
        case crashed(inTrial: Bool, otherSlotIsUsable: Bool)
        /// A package has worked to its end again.
        case wentWell
        case restarted
    }

    package enum Action: Equatable, Sendable {
        case nothing
        /// Ask the hub for its bytes from where they end.
        case fetch(Candidate)
        /// Forget what was fetched.
        case discard
        /// Compare all bytes with what was signed and move them to the inactive slot.
        case check(Candidate)
        /// Load it from the inactive slot and prove its golden vectors.
        case prove(Candidate)
        /// From now on it forecasts beside the active one: report that.
        case compare(Candidate)
        /// It is the active one now: report it.
        case activated(Candidate, in: Slot, because: String)
        /// It is not to be tried again: remember and report it.
        case refuse(Candidate, RefusalReason)
        /// The other slot's package is active again, or none is: report it. `isFinal`: the one that lost its place is not tried again;
        /// else its copy here may have been bad, and it may be fetched anew.
        case rolledBack(to: Slot?, reason: String, isFinal: Bool)
    }

    package var phase: Phase
    package var active: Slot?
    package var terms: UpdateTerms
    /// In a row, of the active package or of the one on trial.
    package var crashes: Int

    package init(
        phase: Phase = .idle, active: Slot? = nil, terms: UpdateTerms = UpdateTerms(),
        crashes: Int = 0
    ) {
        self.phase = phase
        self.active = active
        self.terms = terms
        self.crashes = crashes
    }

    /// The slot a candidate goes to.
    package var spare: Slot { active?.other ?? .first }

    /// The package on its way.
    package var candidate: Candidate? {
        switch phase {
        case .idle: nil
        case .fetching(let candidate), .verified(let candidate), .trial(let candidate, _): candidate
        }
    }

    /// Whether the spare slot holds a candidate.
    package var spareIsTaken: Bool {
        switch phase {
        case .idle, .fetching: false
        case .verified, .trial: true
        }
    }

    /// Whether a candidate forecasts beside the active package.
    package var candidateBeside: Candidate? {
        guard case .trial(let candidate, .beside) = phase else { return nil }
        return candidate
    }

    /// - Parameter windowIsOpen: whether the active package may change now; with nothing active it may always.
    package mutating func handle(_ event: Event, windowIsOpen: Bool = true) -> Action {
        switch (phase, event) {
        case (.idle, .offered(let candidate, let terms)):
            self.terms = terms
            phase = .fetching(candidate)
            return .fetch(candidate)
        case (.fetching(let current), .offered(let candidate, let terms)),
            (.verified(let current), .offered(let candidate, let terms)),
            (.trial(let current, _), .offered(let candidate, let terms)):
            self.terms = terms
            // The same again: it is on its way, perhaps on other terms. Another one: the old is of no use any more.
            guard current.stated.digest != candidate.stated.digest else {
                return passIfTried(windowIsOpen)
            }
            phase = .fetching(candidate)
            return .discard
        case (.fetching, .withdrawn), (.verified, .withdrawn), (.trial, .withdrawn):
            phase = .idle
            return .discard

        case (.fetching(let candidate), .fetched):
            return .check(candidate)
        case (.fetching(let candidate), .checked):
            phase = .verified(candidate)
            return .nothing
        case (.verified(let candidate), .restarted):
            phase = .trial(candidate, .proving(attempts: 1))
            return .prove(candidate)
        case (.trial(let candidate, .proving(let attempts)), .restarted):
            guard attempts < Self.trialsMax else {
                phase = .idle
                return .refuse(
                    candidate,
                    .package("its trial was cut short \(attempts) times: it may crash the agent"))
            }
            phase = .trial(candidate, .proving(attempts: attempts + 1))
            return .prove(candidate)
        case (.trial(let candidate, .proving), .proved(let day)):
            guard active != nil else { return activate(candidate, because: "proved") }
            guard terms.trialDays > 0 else {
                return pass(candidate, windowIsOpen, because: "proved")
            }
            phase = .trial(
                candidate, .beside(compared: 0, since: day, through: day.advanced(by: -1)))
            crashes = 0
            return .compare(candidate)
        case (
            .trial(let candidate, .beside(let compared, let since, let through)),
            .compared(let day, let verdict)
        ):
            guard day > through else { return .nothing }
            if case .worse(let figures) = verdict {
                phase = .idle
                return .refuse(candidate, .package(figures))
            }
            let counts = verdict == .silent ? 0 : 1
            phase = .trial(
                candidate, .beside(compared: compared + counts, since: since, through: day))
            return passIfTried(windowIsOpen)
        case (.trial, .looked):
            return passIfTried(windowIsOpen)
        case (.fetching(let candidate), .failed(let reason)),
            (.verified(let candidate), .failed(let reason)),
            (.trial(let candidate, _), .failed(let reason)):
            phase = .idle
            return .refuse(candidate, reason)
        case (.fetching(let candidate), .restarted):
            return .fetch(candidate)

        case (.fetching(let candidate), .takenBack(let reason, isActive: false, _)),
            (.verified(let candidate), .takenBack(let reason, isActive: false, _)),
            (.trial(let candidate, _), .takenBack(let reason, isActive: false, _)):
            phase = .idle
            return .refuse(candidate, .package(reason))
        case (_, .takenBack(let reason, isActive: true, otherSlotIsUsable: true)):
            // Without another that worked here the one taken back goes on: a doubtful forecast is more than none.
            return fall(to: active?.other, reason: reason, isFinal: true)

        case (.trial(let candidate, .beside), .activeBroken(let reason, otherSlotIsUsable: true)),
            (.trial(let candidate, .due), .activeBroken(let reason, otherSlotIsUsable: true)):
            // It is proved, and in the other slot.
            return activate(candidate, because: "the active package broke: " + reason)
        case (.verified(let candidate), .activeBroken(let reason, _)),
            (.trial(let candidate, _), .activeBroken(let reason, _)):
            // It lies over the package we would go back to, and wins only once proved. The slots change, so it comes anew.
            phase = .fetching(candidate)
            return fall(to: nil, reason: reason, isFinal: false)
        case (_, .activeBroken(let reason, let otherSlotIsUsable)):
            return fall(
                to: otherSlotIsUsable ? active?.other : nil, reason: reason, isFinal: false)

        case (.trial(let candidate, _), .crashed(inTrial: true, _)):
            crashes += 1
            guard crashes >= Self.crashesMax else { return .nothing }
            phase = .idle
            crashes = 0
            return .refuse(candidate, .package(Self.crashText))
        case (.trial(let candidate, .beside), .crashed(inTrial: false, _)),
            (.trial(let candidate, .due), .crashed(inTrial: false, _)):
            crashes += 1
            guard crashes >= Self.crashesMax else { return .nothing }
            // It is proved. Beside a package that ends the agent no day is closed, and no trial ends.
            return activate(candidate, because: "the active package broke: " + Self.crashText)
        case (_, .crashed(inTrial: false, let otherSlotIsUsable)):
            guard active != nil else { return .nothing }
            crashes += 1
            guard crashes >= Self.crashesMax else { return .nothing }
            // Without another to go to none runs, for the agent would end again before it sells or asks. It may have
            // been no fault of the package: it may come anew, and so does a candidate, for the slots change.
            if !otherSlotIsUsable, spareIsTaken, let candidate { phase = .fetching(candidate) }
            return fall(
                to: otherSlotIsUsable ? active?.other : nil, reason: Self.crashText,
                isFinal: otherSlotIsUsable)
        case (_, .wentWell):
            crashes = 0
            return .nothing

        // Stale or repeated. Named, not `default`, so that a new state fails to compile here.
        case (.idle, .withdrawn), (.idle, .fetched), (.idle, .checked), (.idle, .proved),
            (.idle, .compared), (.idle, .looked), (.idle, .failed), (.idle, .restarted),
            (.idle, .takenBack), (.idle, .crashed), (.fetching, .proved), (.fetching, .compared),
            (.fetching, .looked), (.fetching, .takenBack), (.fetching, .crashed),
            (.verified, .fetched), (.verified, .checked), (.verified, .proved),
            (.verified, .compared), (.verified, .looked), (.verified, .takenBack),
            (.verified, .crashed), (.trial, .fetched), (.trial, .checked), (.trial, .proved),
            (.trial, .compared), (.trial, .restarted), (.trial, .takenBack):
            return .nothing
        }
    }

    private static let crashText = "the agent ended \(crashesMax) times in a row while it worked"

    /// Whether a candidate beside has had its days by the terms of now, or the window of one that is due is open.
    private mutating func passIfTried(_ windowIsOpen: Bool) -> Action {
        switch phase {
        case .trial(let candidate, .beside(let compared, let since, let through)):
            if compared >= terms.trialDays {
                return pass(
                    candidate, windowIsOpen, because: "no worse on \(compared) compared days")
            }
            let days = through - since + 1
            guard days >= terms.trialDays + Self.silentDaysMax else { return .nothing }
            return pass(
                candidate, windowIsOpen,
                because: "in \(days) days only \(compared) could be compared, and none was worse")
        case .trial(let candidate, .due):
            return pass(candidate, windowIsOpen, because: "its window has opened")
        case .idle, .fetching, .verified, .trial(_, .proving): return .nothing
        }
    }

    private mutating func pass(
        _ candidate: Candidate, _ windowIsOpen: Bool, because reason: String
    ) -> Action {
        guard windowIsOpen else {
            phase = .trial(candidate, .due)
            return .nothing
        }
        return activate(candidate, because: reason)
    }

    private mutating func activate(_ candidate: Candidate, because reason: String) -> Action {
        let slot = spare
        phase = .idle
        active = slot
        crashes = 0
        return .activated(candidate, in: slot, because: reason)
    }

    private mutating func fall(to slot: Slot?, reason: String, isFinal: Bool) -> Action {
        active = slot
        crashes = 0
        return .rolledBack(to: slot, reason: reason, isFinal: isFinal)
    }
}

/// What this device remembers of packages it refused.
package struct RefusedPackage: Equatable, Sendable {
    /// How many bad downloads of one package are tried in all.
    package static let downloadsMax = 3

    package var reason: [UInt8]
    /// Refused under this memory budget, and worth another look under a larger one.
    package var budgetBytes: Int?
    package var downloads: Int

    package init(reason: [UInt8], budgetBytes: Int?, downloads: Int) {
        self.reason = reason
        self.budgetBytes = budgetBytes
        self.downloads = downloads
    }

    /// Whether the package may be tried once more.
    package func mayBeRetried(budgetBytes now: Int) -> Bool {
        if let budgetBytes { return now > budgetBytes }
        return downloads > 0 && downloads < Self.downloadsMax
    }
}
