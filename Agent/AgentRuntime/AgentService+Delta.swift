import AgentCore
import ModelPackage
import SyncProtocol
import UpdateTrust

/// How the bytes of a wanted package come: whole, or as what differs from a package that is here (SPEC 8.6); and what
/// they wait for.
extension AgentService {
    /// The file that is fetched for a package.
    struct Route {
        var digest: [UInt8]
        var bytes: UInt64
        /// Of a delta: the package it starts from.
        var base: UInt64?
        /// Fetched in vain before.
        var spentBytes: UInt64 = 0
        /// Of a package that comes whole because of it.
        var problem: [UInt8]?

        /// Of the whole update, from first to last.
        var updateBytes: UInt64 { spentBytes + bytes }
    }

    func route(to candidate: Candidate) throws(StoreError) -> Route {
        let stated = candidate.stated
        var route = Route(digest: stated.digest, bytes: stated.packageBytes)
        guard let delivery = try store.delivery(of: stated.digest) else { return route }
        (route.spentBytes, route.problem) = (delivery.spentBytes, delivery.problem)
        if let delta = delivery.delta {
            (route.digest, route.bytes, route.base) = (
                delta.digest, UInt64(delta.bytes), delta.base
            )
        }
        return route
    }

    /// Takes up how the hub offers `candidate`, which is about to be wanted.
    func note(_ offer: DeltaOffer?, for candidate: Candidate) throws(AgentError) {
        let digest = candidate.stated.digest
        try stored { () throws(StoreError) in
            var here: UInt64 = 0
            switch update.phase {
            case .idle: break
            case .fetching(let current):
                if current.stated.digest == digest { here = try store.fetchedBytes() }
            case .verified(let current), .trial(let current, _):
                // Its bytes are here.
                if current.stated.digest == digest { return }
            }
            let known = try store.delivery(of: digest)
            guard offer != nil || known != nil else { return }
            var delivery = known ?? PackageDelivery()
            delivery.delta = nil
            var missesBase = false
            if let offer, delivery.problem == nil, offer.bytes < candidate.stated.packageBytes {
                // Where most of the whole file is here, the rest of it is less.
                let isUnderway = known?.delta == offer
                let left = known?.delta == nil ? candidate.stated.packageBytes - here : .max
                if isUnderway || UInt64(offer.bytes) < left {
                    if try store.slot(ofBase: offer.base) == nil {
                        missesBase = true
                    } else {
                        delivery.delta = offer
                    }
                }
            }
            guard delivery != known || missesBase else { return }
            try store.transaction { () throws(StoreError) in
                // What is here of another file is none of this one.
                if delivery.delta != known?.delta || here == 0 {
                    delivery.spentBytes += here
                    try store.discardFetched()
                }
                if missesBase {
                    try giveUp(&delivery, of: candidate, "the package it starts from is not here")
                } else {
                    try store.save(delivery, of: digest)
                }
            }
        }
    }

    /// The package comes whole after all. That is remembered, and told before any of it is fetched.
    func giveUpDelta(to candidate: Candidate, _ problem: String) throws(AgentError) {
        try stored { () throws(StoreError) in
            try store.transaction { () throws(StoreError) in
                var delivery = try store.delivery(of: candidate.stated.digest) ?? PackageDelivery()
                delivery.spentBytes += try store.fetchedBytes()
                try store.discardFetched()
                try giveUp(&delivery, of: candidate, problem)
            }
        }
    }

    /// Within a transaction.
    private func giveUp(
        _ delivery: inout PackageDelivery, of candidate: Candidate, _ problem: String
    ) throws(StoreError) {
        let text = "its delta was of no use: " + problem
        delivery.delta = nil
        delivery.problem = [UInt8](text.utf8)
        try store.save(delivery, of: candidate.stated.digest)
        try store.queueReport(
            digest: candidate.stated.digest, outcome: .fetching,
            reason: text + "; \(candidate.stated.packageBytes) bytes come whole", arenaBytes: 0)
    }

    /// The wanted package, all of whose bytes, or of whose delta's, are here.
    /// - Returns: nil: the delta does not give it, and it comes whole.
    func fetchedPackage(_ candidate: Candidate) throws(AgentError) -> [UInt8]? {
        let route = try stored { () throws(StoreError) in try self.route(to: candidate) }
        let fetched = try stored { () throws(StoreError) in try store.fetchedContent() }
        guard let base = route.base else { return fetched }
        guard Crypto.sha256(fetched) == route.digest else {
            try giveUpDelta(to: candidate, "its SHA-256 is not the one the hub named")
            return nil
        }
        let content = try stored { () throws(StoreError) -> [UInt8]? in
            guard let slot = try store.slot(ofBase: base) else { return nil }
            return try store.package(in: slot)?.content
        }
        guard let content else {
            try giveUpDelta(to: candidate, "the package it starts from is not here any more")
            return nil
        }
        guard
            let package = PackageDelta.apply(
                fetched, to: content, targetBytes: Int(candidate.stated.packageBytes)),
            Crypto.sha256(package) == candidate.stated.digest
        else {
            try giveUpDelta(to: candidate, "it does not give the package that was signed")
            return nil
        }
        return package
    }

    /// For a report: how a package came here that came by a delta.
    func wayHere(of candidate: Candidate) throws(StoreError) -> String {
        let route = try route(to: candidate)
        guard route.base != nil else { return "" }
        return
            "; fetched \(route.bytes) bytes of a delta for its \(candidate.stated.packageBytes)"
    }

    // MARK: Waiting

    private func hold(of route: Route) -> FetchHold? {
        thrift.hold(
            bytes: route.updateBytes, terms: update.terms, isAsked: contactIsAsked,
            batteryPercent: batteryInUse)
    }

    /// Where the next piece to fetch begins; nil where none is wanted or it waits. What it waits for is told to the hub, once.
    func nextPiece() throws(StoreError) -> FetchPosition? {
        guard case .fetching(let candidate) = update.phase else { return nil }
        let digest = candidate.stated.digest
        let route = try route(to: candidate)
        if let hold = hold(of: route) {
            guard !hold.passes else { return nil }
            let text = Self.text(hold, route)
            let told = digest + [UInt8](text.utf8)
            guard try store.text(.toldHold) != told else { return nil }
            try store.transaction { () throws(StoreError) in
                try store.set(.toldHold, .blob(told))
                try store.queueReport(
                    digest: digest, outcome: .fetching, reason: text, arenaBytes: 0)
            }
            return nil
        }
        // That it comes whole after all is nothing to be found on the bill first.
        if route.problem != nil, try store.hasReport(of: digest) { return nil }
        return FetchPosition(digest: route.digest, offset: try store.fetchedBytes())
    }

    /// For `status`: why the wanted package is not fetched now; nil where it is, or none is wanted.
    func waitingFor() throws(StoreError) -> String? {
        guard case .fetching(let candidate) = update.phase else { return nil }
        let route = try route(to: candidate)
        return hold(of: route).map { Self.text($0, route) }
    }

    private static func text(_ hold: FetchHold, _ route: Route) -> String {
        let problem = route.problem.map { String(decoding: $0, as: UTF8.self) + "; " } ?? ""
        return problem + hold.text(bytes: route.updateBytes)
    }
}
