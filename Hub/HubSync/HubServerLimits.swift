package import HubCore

/// What one hub process grants the network. Every bound a stranger can reach is here.
package struct HubServerLimits: Sendable {
    /// Open connections; one more is closed before its TLS handshake.
    package var connectionsMax = 10_000
    /// TLS handshakes in progress; while there are so many, the next ones wait in the kernel.
    package var openingsMax = 512
    /// A handshake that takes longer counts no more: who only holds the door open must not hold it shut.
    package var openingCountedMilliseconds: Int64 = 2_000
    /// Who is worked for at once, and who waits.
    package var crowd = CrowdGate.Limits()
    /// How often it is seen whose turn it is, beside each time that somebody leaves.
    package var gateTurnMilliseconds: Int64 = 50
    /// How often the log says that devices wait or are turned away.
    package var crowdReportMilliseconds: Int64 = 10_000
    /// Of the devices that wait to look where they stand, so many do each turn, however great the crowd.
    package var looksPerTurnMin = 4
    /// How many devices are to come back in a second after the hub has gone down.
    package var returnsPerSecond = 100
    // SPEC 13.
    /// For the TLS handshake, and again for the first frame.
    package var openingMilliseconds: Int64 = 10_000
    /// Without a byte from a device for so long a visit is over. A frame that has begun must be whole
    /// in the same time.
    package var idleMilliseconds: Int64 = 30_000
    /// Without a byte for so long a connection that stays is pinged. Devices ping sooner by
    /// themselves: each wakes as seldom as it can.
    package var pingMilliseconds: Int64 = 100_000
    /// Without a byte for so long a connection is closed, whatever it waits for.
    package var silenceMilliseconds: Int64 = 150_000
    /// After its last word the hub waits so long for the device to close, so that the word arrives.
    package var lingerMilliseconds: Int64 = 1_000
    /// How often the database is asked whether something changed.
    package var changePollMilliseconds: Int64 = 100
    /// How often rollouts are judged.
    package var rolloutPollMilliseconds: Int64 = 1_000
    /// How often is looked what of the repository's metadata has to be signed anew.
    package var metadataPollMilliseconds: Int64 = 3_600_000
    package var joinsBurstMax = 200
    package var joinsPerSecond = 20
    /// When a visiting device should come back, before jitter of a tenth either way.
    package var visitEverySeconds: UInt32 = 900

    /// How often the store notes that a device is still there, on a connection that stays: often enough
    /// for a person who looks, seldom enough for thousands of them on one disk.
    package var touchEverySeconds: Int64 = 300

    package init() {}
}
