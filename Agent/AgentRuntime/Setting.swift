/// The single values the database keeps.
package enum Setting: String {
    /// The number the next record for the hub gets is at least this; the outbox may be ahead of it.
    case nextSequence
    /// Sales of the outbox up to this number are also in `ownDay` and `saleReference`.
    case foldedThrough
    /// The hub may have records up to this number.
    case sentThrough
    /// The operator's choice: 1 when a closed day's totals go up and no single sales.
    case sendsTotals
    /// About so many bytes may wait for the hub before sales are folded into totals.
    case outboxBytesMax
    /// Sales that were, because there was no room for each.
    case foldedSales
    /// Which database of this device's life this is, from 1.
    case generation
    /// The newest generation whose numbers the hub has confirmed.
    case confirmedGeneration
    case contextRevision
    /// The store's calendar as the hub sent it: a `CalendarOfStore`.
    case calendar
    /// Whose hub talk this database holds.
    case device
    /// Bit pattern of a Float.
    case ownShareBits
    /// Seconds since 1970 UTC that are certainly in the past.
    case timeLowerBound
    /// Milliseconds since 1970 UTC of the last complete exchange with the hub, by its clock.
    case lastContact
    case lastError
    /// What the last conversation with the hub broke off at (`Visit.Subject`).
    case subjectPutOff
    /// The hub's number of our last contact: what tells us from a copy of us.
    case contactNumber
    /// A day and what went over the wire on it (`Thrift.kept`), where there is a ceiling.
    case dataOfDay
    /// What the hub last said it wants, and why.
    case desire
    case desireReason
    /// A package's digest, and what the hub was told that it waits for.
    case toldHold
    /// The rollback guard's accepted package.
    case acceptedRelease
    case acceptedDigest
    case acceptedFamily
    case acceptedVariant
    /// What is left to tell an operator after a damaged database.
    case notice
    /// Why the hub's last word about packages is not believed.
    case trustProblem
    /// When the hub wants a visiting device back, in seconds since 1970 UTC.
    case nextVisit
}
