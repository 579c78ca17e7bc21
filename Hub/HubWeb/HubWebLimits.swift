/// What the HTTPS door grants the network. Every bound a stranger can reach is here, but those of
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
}
