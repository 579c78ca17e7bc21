/// What the HTTPS door and the pages grant the network. Every bound a stranger can reach is here, but those of
/// `AgentPackages`.
package struct HubWebLimits: Sendable {
    /// Open connections; further ones wait outside.
    package var connectionsMax = 256
    /// For TLS and a request's head; and between two requests.
    package var idleMilliseconds: Int64 = 10_000
    /// A connection's whole life, however slowly it reads: an agent's package at 5 kB a second.
    package var connectionMilliseconds: Int64 = 600_000
    package var pathBytesMax = 512
    package var headerBytesMax = 8 << 10
    package var headersMax = 50
    /// What waits for one connection's network at a time.
    package var chunkBytes = 64 << 10

    package init() {}

    /// Of the pages: fewer connections, which live longer, and addresses that hold a search.
    package static var pages: HubWebLimits {
        var limits = HubWebLimits()
        limits.connectionsMax = 128
        limits.idleMilliseconds = 60_000
        limits.connectionMilliseconds = 3_600_000
        limits.pathBytesMax = 2_048
        return limits
    }
}
