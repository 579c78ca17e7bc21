package import Forecasting
package import HubCore

/// All that a hub remembers. Any process may be killed at any moment: each call is one transaction,
/// durable when it returns, and undone when it throws. Several processes may share one store.
///
/// One contract suite (`HubStoreContract` in the tests) describes every implementation.
/// Every call throws `HubStoreError` only, except that `importSales` also lets through what its
/// `feed` throws.
package protocol HubStore: Sendable {
    // MARK: Changes

    /// Changes whenever another process commits; what it is means nothing. Cheap enough for every
    /// 100 ms.
    func changeCounter() async throws -> Int64

    /// The same store for somebody else: what is changed through it has that author in the audit log.
    func acting(as author: String) -> any HubStore

    // MARK: Stores and sales

    func stores() async throws -> [StoreRecord]
    /// Nil for a store nobody has named yet.
    func store(_ id: StoreID) async throws -> StoreRecord?
    /// Makes the store if it is new. `timeZone` is an IANA name, 1 to 64 bytes; the caller has
    /// checked it.
    func setTimeZone(_ timeZone: String, of store: StoreID) async throws

    /// Upserts imported day totals by series and day, everything `feed` writes in one transaction.
    /// When `feed` throws nothing is changed and its error is rethrown.
    func importSales(
        _ feed: @escaping @Sendable (any SalesSink) throws -> Void
    ) async throws -> ImportOutcome

    /// By store, then item.
    func seriesSummaries() async throws -> [SeriesSummary]

    /// The history of each series of one store up to `last` (nil: all), from the series' first
    /// known day, by item. All series end on the same day: the store's last known one within the
    /// bound.
    func histories(store: StoreID, through last: BusinessDay?) async throws -> [SeriesHistory]

    /// Where the day totals up to `last` (nil: all) came from.
    func salesSources(through last: BusinessDay?) async throws -> SalesSources

    /// What the context of a store is decided from: the days from `first` on that some device has
    /// closed or an import has filled.
    func ledger(
        store: StoreID, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> StoreLedger?
    /// The latest day of the store that some device has closed or an import has filled.
    func lastKnownDay(store: StoreID) async throws -> BusinessDay?

    // MARK: Calendar

    /// Adds what is new and renames what has another name; the rest stays as it is. Closed days and stock-outs leave the
    /// report's errors with it.
    func importCalendar(_ entries: [CalendarEntry], at: Timestamp) async throws -> CalendarOutcome
    /// - Parameters:
    ///   - kind: nil: of every kind.
    ///   - store: of this store alone; nil: of every store, and those that hold for all.
    func removeCalendar(
        kind: CalendarEntry.Kind?, store: StoreID?, from first: BusinessDay,
        through last: BusinessDay, at: Timestamp
    ) async throws -> CalendarRemoval
    /// By day, store, item and kind, those of every store and item first.
    /// - Parameter store: what holds for this store, be it for every store; nil: all entries.
    func calendar(
        kind: CalendarEntry.Kind?, store: StoreID?, from first: BusinessDay?,
        through last: BusinessDay?
    ) async throws -> [CalendarEntry]

    // MARK: Autopilot

    func autopilotSettings() async throws -> AutopilotSettings
    func setAutopilotSettings(_ settings: AutopilotSettings, at: Timestamp) async throws
    /// - Returns: with its number.
    /// - Throws: `refused` while another run is on its way to its rollout.
    func addAutopilotRun(_ run: AutopilotRecord) async throws -> AutopilotRecord
    /// Puts the run as it now is in its place.
    /// - Throws: `notFound`; `refused` when it has ended.
    func updateAutopilotRun(_ run: AutopilotRecord, at: Timestamp) async throws
    /// Newest first.
    func autopilotRuns(countMax: Int) async throws -> [AutopilotRecord]
    func autopilotRun(_ id: Int64) async throws -> AutopilotRecord?

    // MARK: Tokens and devices

    /// Makes the store of the token too if it is new, in time zone "UTC".
    func createToken(_ token: TokenRecord) async throws -> TokenRecord
    func tokens() async throws -> [TokenRecord]
    /// - Returns: false when there is no such token.
    func revokeToken(_ id: Int64, at: Timestamp) async throws -> Bool

    /// Checks the token and, if it is accepted, uses it once and adds the device: one transaction,
    /// so that two devices cannot share a last use.
    func joinDevice(
        _ id: DeviceID, tokenSecretSHA256: [UInt8], at: Timestamp
    ) async throws -> JoinOutcome

    /// By store, then id.
    func devices(store: StoreID?) async throws -> [DeviceRecord]
    func device(_ id: DeviceID) async throws -> DeviceRecord?
    /// Of the same device what is asked most, for a fraction of the cost.
    func home(of device: DeviceID) async throws -> DeviceHome?
    /// A revoked device stays revoked. Changes what is final on the store's latest days, so the
    /// store's revision grows.
    /// - Returns: the device as it now is; nil when there is none.
    func setStatus(
        _ status: DeviceStatus, of device: DeviceID, at: Timestamp
    ) async throws -> DeviceRecord?
    func setCertificate(
        sha256: [UInt8], expiresAt: Timestamp, of device: DeviceID
    ) async throws
    /// Notes that the device was in touch, and, where given, what it said of itself and what it
    /// runs.
    /// - Returns: the device as it now is; nil when there is none.
    func registerDevice(
        _ device: DeviceID, capabilities: DeviceCapabilities, labels: [DeviceLabel],
        running: RunningPackage?, at: Timestamp
    ) async throws -> DeviceRecord?
    func touchDevice(_ device: DeviceID, at: Timestamp) async throws
    /// A device registers: whether it is the one, or a copy, and the number of this contact. What an
    /// operator has to know of it goes to the device's events.
    /// - Parameters:
    ///   - number: what it holds of the last contact; 0: nothing.
    ///   - hardware: what it names; empty: nothing.
    /// - Returns: nil when there is no such device.
    func meetDevice(
        _ device: DeviceID, number: UInt64, hardware: [UInt8], at: Timestamp
    ) async throws -> ContactLine.Verdict?
    /// The copies are gone, says the operator: whoever comes next is the device.
    /// - Returns: the device as it now is; nil when there is none.
    func forgetCopies(of device: DeviceID, at: Timestamp) async throws -> DeviceRecord?

    /// Kept: the latest `DeviceEvent.keptPerDeviceMax` of each device.
    func addEvent(_ event: DeviceEvent, of device: DeviceID) async throws
    /// Newest first.
    func events(of device: DeviceID, countMax: Int) async throws -> [DeviceEvent]

    // MARK: Uploads

    /// Stores a batch exactly once, whole or not at all.
    func storeUpload(_ batch: UploadBatch, at: Timestamp) async throws -> UploadOutcome

    // MARK: Families, packages, rollouts

    /// - Throws: `alreadyExists` for a name in use.
    func saveFamily(_ family: FamilyRecord) async throws
    /// Puts `family` in the place of the one of its name, if that is still as `trained` says.
    /// - Throws: `notFound`; `changedMeanwhile` when another command was quicker. Then nothing is changed.
    func replaceFamily(_ family: FamilyRecord, ifStill trained: [UInt8]) async throws
    /// Newest first, without `trained`, which may be large.
    func families() async throws -> [FamilyRecord]
    func family(_ name: String) async throws -> FamilyRecord?

    /// A number higher than any before, for one `package build`. Never given twice, even if the
    /// build fails.
    func takeRelease() async throws -> UInt64
    /// All or none. A digest that is known already is left as it is.
    func savePackages(_ packages: [PackageRecord]) async throws
    /// By release, variant and store. Nil: of every family.
    func packages(family: String?) async throws -> [PackageRecord]
    func package(digest: [UInt8]) async throws -> PackageRecord?

    /// Keeps a rollout, unless the newest that was not aborted says the same already.
    /// - Parameter plan: wave after wave, as in `RolloutPlan.waves`; who is not known is left out.
    /// - Returns: the one there is now, and whether it is new.
    /// - Throws: `notFound` for a family without packages.
    func push(
        _ rollout: RolloutRecord, plan: [[DeviceID]]
    ) async throws -> (rollout: RolloutRecord, isNew: Bool)
    /// Newest first.
    func rollouts() async throws -> [RolloutRecord]
    /// By an operator. Aborted, its devices go back.
    /// - Throws: `notFound`; `changedMeanwhile` when it is not as it was read; `refused` where the event has no
    ///   place. Then nothing is changed.
    func change(
        rollout: UInt64, by event: RolloutEvent, ifStill revision: UInt64, at: Timestamp
    ) async throws -> RolloutRecord
    /// Writes what the engine came to.
    /// - Returns: false when the rollout is not as it was judged: then nothing is changed.
    func apply(_ step: RolloutStep, ifStill revision: UInt64, at: Timestamp) async throws -> Bool
    /// What a rollout is judged by, and the rollout as it was then; nil when there is none. By counts: its cost does
    /// not grow with the rows of a fleet's reports.
    /// - Parameter listeningSince: since when devices can reach the hub: before, none was silent.
    func rolloutFacts(
        _ id: UInt64, listeningSince: Timestamp, at: Timestamp
    ) async throws -> (rollout: RolloutRecord, facts: RolloutFacts)?
    /// Compares the errors of stores that reported days in trial since they were judged, `countMax` of them at most.
    /// - Returns: how many.
    func judgeStores(of rollout: RolloutRecord, countMax: Int) async throws -> Int
    /// By device.
    func members(rollout: UInt64) async throws -> [RolloutMember]
    /// Stores that were rolled back or have something to compare, by store.
    func rolloutStores(_ rollout: UInt64) async throws -> [RolloutStoreRecord]

    /// What is known of a device beyond its record, all of one moment.
    func standing(of device: DeviceID, at now: Timestamp) async throws -> DeviceStanding
    /// Replaces the device's assignment. Where rollout and digest are as before, only the reason
    /// changes: a known outcome stays.
    /// - Parameters:
    ///   - rollout: as it was when it was decided.
    ///   - wave: where the device was not drawn.
    /// - Returns: false when the rollout is not so any more, or its disruption budget in the store is used up
    ///   meanwhile: then nothing is changed, and it is decided anew.
    func assign(
        _ assignment: AssignmentRecord, ifStill rollout: RolloutRecord, wave: Int
    ) async throws -> Bool
    /// The device is told to go back from a package: it may not fetch it any more.
    func sendBack(
        _ device: DeviceID, from rollout: UInt64, digest: [UInt8], reason: String, at: Timestamp
    ) async throws
    /// The device was away and others are in its place: in these rollouts it waits for its turn again.
    func yield(_ device: DeviceID, from rollouts: [UInt64], at: Timestamp) async throws
    func assignment(of device: DeviceID) async throws -> AssignmentRecord?
    func assignments(rollout: UInt64?) async throws -> [AssignmentRecord]
    /// What a device said became of package `digest`, and what it runs now. Noted on its assignment
    /// if that still is the same package, on the device and in its events in any case.
    func reportOutcome(
        _ outcome: PackageOutcome, digest: [UInt8], reason: String, running: RunningPackage?,
        device: DeviceID, at: Timestamp
    ) async throws

    // MARK: The repository of The Update Framework

    /// nil: there is none of that role (yet).
    func newestMetadata(role: String) async throws -> MetadataFile?
    /// Every version, the oldest first.
    func rootMetadata() async throws -> [MetadataFile]
    /// What a device needs that holds `held`, as it was at one moment and in the order in which a client asks for it:
    /// the next roots, then timestamp, snapshot and targets where there is a newer one, then the bin that lists the
    /// package of digest `target`, if a bin does.
    /// - Parameter rootsMax: a device that missed more follows in several steps.
    func metadata(
        newerThan held: HeldVersions, target: [UInt8]?, rootsMax: Int
    ) async throws -> [MetadataFile]
    /// The path under which the repository lists a package; nil: it does not.
    func targetPath(of digest: [UInt8]) async throws -> String?
    /// Every root and the newest of every other role, and all that is listed.
    func repositoryContents() async throws -> (files: [MetadataFile], targets: [ListedTarget])
    /// What the next writing is decided from; nil: nothing was ever written. The packages are those that a device may be
    /// told to run: of rollouts that go on and of the newest two that were not aborted, assigned, running.
    /// - Parameter also: packages of this release besides.
    func repositoryFacts(
        besides also: (family: String, release: UInt64)?
    ) async throws -> (root: MetadataFile, files: [MetadataFile], packages: [PackageRecord])?
    /// - Throws: `changedMeanwhile` unless each file is the version of its role that `leap` makes the next: then nothing is
    ///   changed.
    func publish(_ publication: MetadataPublication, at: Timestamp) async throws

    // MARK: Audit log, users

    /// Newest first. Written by every call that changes what runs or who may do what, in its transaction; nothing
    /// of it can be changed.
    /// - Parameter before: those with a smaller number; nil: all.
    func audit(before: Int64?, countMax: Int) async throws -> [AuditRecord]
    /// - Throws: `alreadyExists`.
    func addUser(_ user: UserRecord) async throws
    /// By name.
    func users() async throws -> [UserRecord]
    /// With all its tokens.
    /// - Returns: false when there is none.
    func removeUser(_ name: String, at: Timestamp) async throws -> Bool
    /// - Parameter sha256: of the token, of which nothing else is kept.
    /// - Returns: the token's number.
    /// - Throws: `notFound`.
    func addUserToken(sha256: [UInt8], of name: String, at: Timestamp) async throws -> Int64
    /// - Returns: false when there is none that is good.
    func revokeUserToken(_ id: Int64, at: Timestamp) async throws -> Bool
    /// Whose token it is; nil: nobody's, or not any more.
    func user(tokenSHA256: [UInt8]) async throws -> UserRecord?

    // MARK: Signing in

    /// Ends all sessions of the user.
    /// - Throws: `notFound`.
    func setPassword(_ password: PasswordRecord, of name: String) async throws
    /// nil: no such user, or one without a password.
    func password(of name: String) async throws -> PasswordRecord?
    /// Keeps at most `SessionRecord.perUserMax` sessions of a user and `countMax` of all: those used longest ago end.
    /// - Parameter password: that the user showed.
    /// - Returns: false when it is not the user's any more: then nothing is changed.
    func openSession(
        _ session: SessionRecord, ifStill password: PasswordRecord
    ) async throws -> Bool
    /// nil: there is none, or it is not good any more.
    func session(
        secretSHA256: [UInt8], at: Timestamp
    ) async throws -> (session: SessionRecord, user: UserRecord)?
    /// It is used.
    func touchSession(secretSHA256: [UInt8], at: Timestamp) async throws
    func endSession(secretSHA256: [UInt8]) async throws

    // MARK: Report

    /// The sums that every figure of the report is made from, in no order. Cheap where neither item is asked for: its cost
    /// then grows with the days of devices, not with their forecasts.
    func forecastSums(_ query: ReportQuery) async throws -> [ReportRow]
    /// The latest day that anything was forecast for. Costs a look at each store, not at its forecasts.
    func lastForecastDay() async throws -> BusinessDay?
    /// Of each series with days that have a seasonal naive, by store, then item.
    func seriesErrors(
        store: StoreID?, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [SeriesErrors]
    /// How many forecasts of each day came from each device.
    func forecastCounts(
        store: StoreID?, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [DeviceID: [BusinessDay: Int]]
    /// The days that each device has closed, by store, then device; who never closed one is left out.
    func reportedDays(
        store: StoreID?, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [ReportedDays]
    /// Every package that a rollout gave a device, in no order.
    func givenPackages() async throws -> [GivenPackage]
    /// Of stores that have series.
    func seriesCounts() async throws -> [StoreID: Int]
    /// Makes what the report is summed up from anew from the raw rows. It is kept up to date by every call that changes
    /// these, so nothing changes.
    /// - Returns: how many forecasts there are.
    func rebuildReport() async throws -> Int
    /// Forecasts of one store's final days that the uncompressed networks of their packages have not replayed yet: days of
    /// a block one after the other, until there are `countMax` or more; nil: none wait.
    func waitingForecasts(countMax: Int) async throws -> WaitingForecasts?
    /// Keeps what came of all of `waiting`, and sums it up.
    /// - Returns: false when something that it hangs on has changed since they were read: then nothing is kept.
    func keepReplayed(
        _ replayed: [ReplayedForecast], of waiting: WaitingForecasts
    ) async throws -> Bool
    /// Every forecast of the store's devices within the days, by device, item, day.
    func observations(
        store: StoreID, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [ForecastObservation]
    /// Every forecast of one item of a store within the days, beside what the report compares it with, by device, then
    /// day.
    func seriesForecasts(
        store: StoreID, item: ItemID, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [SeriesForecast]
    /// Every forecast of the store's devices as it was sent up.
    func uploadedForecasts(
        store: StoreID, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [UploadedForecast]
    /// Days that the store's devices reported, within the days.
    func deviceDays(
        store: StoreID, from first: BusinessDay?, through last: BusinessDay?
    ) async throws -> [DeviceDay]
    /// The items of the store's series.
    func items(store: StoreID) async throws -> [ItemID]

    // MARK: Watching

    /// The store's days from `first` (nil: all) that something was forecast of, ascending. Cheap: a row a day.
    func watchedDays(store: StoreID, from first: BusinessDay?) async throws -> [WatchedDay]
    /// A number for each store with forecasts that is another one when any of its days is.
    func watchedStores() async throws -> [StoreID: Int64]
    /// What each approved device closed in the `count` days up to the latest that any of them has, by store, then
    /// device; who closed none has no days.
    func deviceActivity(lastDays count: Int) async throws -> [DeviceActivity]

    /// Newest first.
    func alerts(_ query: AlertQuery) async throws -> [AlertRecord]
    func alert(_ id: Int64) async throws -> AlertRecord?
    /// Newest first.
    func alertEvents(of id: Int64, countMax: Int) async throws -> [AlertEvent]
    /// Writes what a look at everything came to, and hands what is to be sent to every destination that wants it, in one
    /// transaction. An alert that is not as it was looked at is left as it is.
    /// - Returns: the alerts that were written, as they are now.
    func apply(_ changes: [AlertChange], at: Timestamp) async throws -> [AlertRecord]
    /// - Throws: `notFound`; `refused` unless it is open.
    func acknowledgeAlert(_ id: Int64, why: String, at: Timestamp) async throws -> AlertRecord
    /// By an operator; an alert whose cause is gone resolves by itself.
    /// - Throws: `notFound`; `refused` when it is resolved already.
    func resolveAlert(_ id: Int64, why: String, at: Timestamp) async throws -> AlertRecord
    /// - Returns: with its number and author.
    /// - Throws: `refused` for one that ends before it begins or is too long, or when there are too many.
    func silence(_ silence: AlertSilence) async throws -> AlertSilence
    /// Those that are not over, the one that ends first first.
    func silences(at: Timestamp) async throws -> [AlertSilence]
    /// - Returns: false when there is none.
    func liftSilence(_ id: Int64, at: Timestamp) async throws -> Bool

    /// By name.
    func alertDestinations() async throws -> [AlertDestination]
    /// - Throws: `alreadyExists`; `refused` when there are too many.
    func addAlertDestination(_ destination: AlertDestination) async throws
    /// With what waits to be sent there.
    /// - Returns: false when there is none.
    func removeAlertDestination(_ name: String, at: Timestamp) async throws -> Bool
    /// - Returns: the notice's number.
    /// - Throws: `notFound`.
    func sendTestNotice(to name: String, at: Timestamp) async throws -> Int64
    /// Newest first.
    func deliveries(_ state: AlertDelivery.State?, countMax: Int) async throws -> [AlertDelivery]
    /// How sending goes, by destination; one to which nothing was sent of late is not in it.
    func deliveryStandings() async throws -> [String: DeliveryStanding]
    /// What is to be tried by now, of each destination the `countMax` that are due longest, by destination.
    func dueDeliveries(at: Timestamp, countMax: Int) async throws -> [AlertDelivery]
    /// How an attempt ended; nil: it arrived. When it is tried again follows from `DeliverySchedule`.
    func noteDelivery(_ delivery: AlertDelivery, problem: String?, at: Timestamp) async throws
    /// Lets dead letters wait again; nil: of every notice, to every destination.
    /// - Returns: how many.
    func resend(notice: Int64?, destination: String?, at: Timestamp) async throws -> Int
}

extension HubStore {
    package func ledger(store: StoreID, from first: BusinessDay?) async throws -> StoreLedger? {
        try await ledger(store: store, from: first, through: nil)
    }
}

/// Where an import writes to, within its one transaction.
package protocol SalesSink: AnyObject {
    /// The number of a series, made if it is new. Ask once for each series.
    func series(store: StoreID, item: ItemID) throws -> Int32
    /// Days within `BusinessDay.storable`, units from 0 up. A later row replaces an earlier one.
    func upsert(_ rows: UnsafeBufferPointer<SalesRow>) throws
}

/// What became of a request to join.
package enum JoinOutcome: Hashable, Sendable {
    case joined(DeviceRecord, StoreRecord)
    /// Never `.accepted`.
    case refused(TokenCheck)
}

/// Why the store could not do what was asked.
package enum HubStoreError: Error, Equatable, Sendable, CustomStringConvertible {
    case notInitialised(path: String)
    case alreadyInitialised(path: String)
    /// The hub's keys are there and its database is not: nothing that `init` could put right.
    case databaseMissing(path: String)
    /// Another process holds the database for long: try again.
    case busy
    case diskFull
    case corrupt(reason: String)
    /// Written by a newer version of this program.
    case newerSchema
    case alreadyExists(what: String)
    case notFound(what: String)
    /// Another command changed it since it was read.
    case changedMeanwhile(what: String)
    /// What was asked has no place now.
    case refused(why: String)
    /// A rule of the schema was broken: a fault of this program.
    case constraint(reason: String)
    case failed(reason: String)

    package var description: String {
        switch self {
        case .notInitialised(let path):
            "there is no hub in \(path): run 'shelfcast-hub init --data \(path)' first"
        case .alreadyInitialised(let path): "there is a hub in \(path) already"
        case .databaseMissing(let path):
            "'\(path)' is missing, and other files of the hub are there: restore it from a backup"
        case .busy: "the database is in use by another process; try again"
        case .diskFull: "the disk with the database is full; nothing was changed"
        case .corrupt(let reason): "the database is damaged (\(reason)); restore it from a backup"
        case .newerSchema: "the database was written by a newer shelfcast-hub; use that one"
        case .alreadyExists(let what): "\(what) exists already"
        case .changedMeanwhile(let what):
            "\(what) was changed by another command meanwhile; nothing was changed, try again"
        case .notFound(let what): "there is no \(what)"
        case .refused(let why): why
        case .constraint(let reason):
            "the database refused a change that breaks its rules: \(reason)"
        case .failed(let reason): "the database failed: \(reason)"
        }
    }
}
