import AgentCore
import AgentRuntime
import Forecasting
import Foundation
import ModelPackage
import RepositorySamples
import SyncProtocol
import Testing
import UpdateTrust

/// A folder that goes with its owner.
final class TemporaryFolder {
    let path: String

    init() {
        path = NSTemporaryDirectory() + "shelfcast-" + UUID().uuidString.prefix(8)
        // A test that cannot make its folder fails at the first thing it opens there.
        try? FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

/// A hub without a network: the rules of SPEC 9 and 10 over arrays, and packages it has signed itself.
final class TestHub {
    var repository = SignedRepository()
    /// What goes ahead of a DesiredState; nil: what an honest hub sends.
    var metadata: ((HeldMetadata) -> [Metadata])?
    /// Of every metadata frame, header included.
    private(set) var metadataBytes = 0
    /// Record i has number i + 1.
    var records: [Record] = []
    var desired = DesiredState(desire: .stayAsYouAre, reason: "nothing is assigned")
    var packages: [[UInt8]: [UInt8]] = [:]
    var contexts: [Context] = [Context(revision: 1)]
    /// Of the devices' store; a hub that is old knows none.
    var calendar = CalendarOfStore()
    private(set) var calendarsSent = 0
    var reports: [PackageReport] = []
    var registers: [Register] = []
    /// 2027-01-15.
    var timeMilliseconds: Int64 = 1_800_000_000_000
    /// Answers until the network is cut; nil: it never is.
    var answersLeft: Int?
    /// The last of them is given and lost on its way.
    var cutsAnswers = false
    var chunkBytes = 300
    /// Pieces of packages that are given before the network is cut; nil: all.
    var piecesLeft: Int?
    /// The network is cut at every report.
    var losesReports = false
    private(set) var fetches = 0
    /// As a hub of the first release, which knows no columns.
    var isOld = false
    private var items = NamedItems()
    /// Of uploads and their answers, frame headers included.
    private(set) var uploadBytes = 0
    private(set) var foldedSales: UInt64 = 0
    /// Bytes given of each file.
    private(set) var fetched: [[UInt8]: Int] = [:]
    /// The files asked for in their order, and empty where a report came between.
    private(set) var order: [[UInt8]] = []

    init() {}

    /// The same hub at another time of its life.
    init(copyOf other: TestHub) {
        repository = other.repository
        (records, reports, registers) = (other.records, other.reports, other.registers)
        (desired, packages, contexts) = (other.desired, other.packages, other.contexts)
        (timeMilliseconds, chunkBytes) = (other.timeMilliseconds, other.chunkBytes)
    }

    struct Cut: Error {}

    /// A device of store 1 that has joined this hub.
    func enrol(_ folder: TemporaryFolder, device: String = "device-1") {
        let own = Crypto.makeKey() ?? []
        let identity = Identity(
            hubHost: "127.0.0.1", hubPort: 7420, deviceID: device, store: "1",
            timeZone: "Europe/Berlin", ca: [1], certificate: [2], key: own)
        _ = Files.replace(folder.file(AgentService.rootFile), by: repository.root)
        _ = identity.save(in: folder.path)
        _ = Configuration(budgetBytes: 20_000, labels: ["aisle=dairy"]).save(in: folder.path)
    }

    /// Wants `content` on every device from now on.
    func offer(
        _ content: [UInt8], release: UInt64, variant: String = "v", store: String = "",
        arenaBytes: UInt64? = nil, digest: [UInt8]? = nil
    ) throws {
        let package = try? ModelPackage.decode(content)
        let digest = digest ?? Crypto.sha256(content)
        let path = repository.list(
            digest: digest, length: content.count,
            arena: arenaBytes ?? UInt64(package.map { $0.arenaBytes() } ?? 1000),
            release: release, variant: variant, store: store)
        packages[digest] = content
        desired = DesiredState(
            desire: .run, reason: "it fits", rollout: 1, digest: digest, target: path)
    }

    /// Offers a delta from `base` beside the package that is wanted.
    /// - Parameter delta: nil: the true one.
    /// - Returns: its digest.
    @discardableResult
    func offerDelta(
        from base: [UInt8], to target: [UInt8], _ delta: [UInt8]? = nil
    ) -> [UInt8] {
        let delta = delta ?? PackageDelta.make(from: base, to: target)
        let digest = Crypto.sha256(delta)
        packages[digest] = delta
        desired.delta = DeltaOffer(
            digest: digest, bytes: UInt32(delta.count),
            base: DeltaOffer.base(of: Crypto.sha256(base)))
        return digest
    }

    func answer(_ message: Message) throws -> [Message] {
        if let left = answersLeft {
            guard left > 0 else { throw Cut() }
            answersLeft = left - 1
        }
        switch message {
        case .hello:
            items = NamedItems()
            return [
                .welcome(
                    Welcome(
                        version: 1, hubTimeMs: timeMilliseconds, frameBytesMax: 65_536,
                        takesColumns: !isOld))
            ]
        case .register(let register):
            registers.append(register)
            var desired = desired
            desired.storedThroughSequence = UInt64(records.count)
            desired.contactNumber = UInt64(registers.count)
            let held = register.held ?? HeldMetadata()
            let frames =
                metadata?(held)
                ?? repository.metadata(
                    newerThan: held,
                    needsTargets: desired.desire == .run
                        && desired.digest != register.running?.digest)
            for frame in frames { metadataBytes += encodeFrame(.metadata(frame)).count }
            return frames.map { .metadata($0) } + [.desiredState(desired)]
        case .upload(let upload):
            let first = Int(upload.firstSequence)
            guard first <= records.count + 1 else {
                return [.refusal(Refusal(.sequenceGap, "a gap"))]
            }
            let sent = try items.records(of: upload)
            if isOld { #expect(sent == upload.records && upload.items.isEmpty) }
            records += sent.dropFirst(records.count + 1 - first)
            let ack = Message.uploadAck(UploadAck(throughSequence: UInt64(records.count)))
            foldedSales = upload.foldedSales
            uploadBytes += encodeFrame(message).count + encodeFrame(ack).count
            return [ack]
        case .contextRequest(let request):
            var answer = contexts
            if let last = contexts.last, request.knownRevision >= last.revision {
                answer = [Context(revision: last.revision)]
            }
            if !isOld, request.takesCalendar, request.calendarDigest != calendar.digest {
                answer[answer.count - 1].calendar = calendar
                calendarsSent += 1
            }
            return answer.map { .context($0) }
        case .fetch(let fetch):
            if let left = piecesLeft {
                guard left > 0 else { throw Cut() }
                piecesLeft = left - 1
            }
            fetches += 1
            let content = packages[fetch.digest] ?? []
            let piece = [UInt8](content.dropFirst(Int(fetch.offset)).prefix(chunkBytes))
            fetched[fetch.digest, default: 0] += piece.count
            if order.last != fetch.digest { order.append(fetch.digest) }
            return [
                .chunk(
                    Chunk(
                        digest: fetch.digest, offset: fetch.offset, content: piece,
                        packageBytes: UInt64(content.count)))
            ]
        case .packageReport(let report):
            guard !losesReports else { throw Cut() }
            reports.append(report)
            order.append([])
            return [.noted]
        case .goodbye: return [.farewell(Farewell(nextContactSeconds: 60))]
        default: return []
        }
    }

    /// What is lost on its way was meant all the same.
    private func deliver(_ messages: [Message]) throws -> [Message] {
        if cutsAnswers, answersLeft == 0 { throw Cut() }
        return messages
    }

    /// One visit of `service`.
    func visit(_ service: AgentService) throws {
        var visit = Visit(mode: .visit, puttingOff: service.subjectPutOff)
        do {
            try talk(&visit, with: service)
        } catch {
            service.note(contactError: "\(error)", asking: visit.subject)
            throw error
        }
        if service.subjectPutOff != nil { service.note(contactError: nil) }
    }

    private func talk(_ visit: inout Visit, with service: AgentService) throws {
        var incoming = try answer(visit.opening(agentVersion: "test"))
        while !visit.hasLeft {
            for message in incoming {
                for action in try visit.receive(message) { try service.perform(action) }
            }
            incoming = []
            guard let next = visit.next(try service.work()),
                let message = try service.message(for: next, frameBytesMax: visit.frameBytesMax)
            else { continue }
            // Across the wire, so that what is sent is also what may be received.
            let sent = visit.ask(message)
            var decoder = FrameDecoder(from: .device)
            decoder.push(encodeFrame(sent))
            incoming = try deliver(try answer(try decoder.next() ?? sent))
        }
    }

    /// Units sold as the hub has them: item and day to sum.
    var sold: [String: Int] {
        var sold: [String: Int] = [:]
        for case .sale(let sale) in records {
            sold["\(sale.day) \(sale.item)", default: 0] += Int(sale.units)
        }
        return sold
    }

    var forecasts: [ForecastRecord] {
        records.compactMap { if case .forecast(let forecast) = $0 { forecast } else { nil } }
    }

    var closedDays: [Int32] {
        records.compactMap { if case .close(let close) = $0 { close.day } else { nil } }
    }
}

/// Packages that are as small as can be and real in every part.
enum TestPackage {
    static let asOf = BusinessDay(daysSince1970: 17_000)

    static func model(
        release: UInt64, variant: String = "v", store: String? = nil, units: Int = 2,
        items: [String] = ["1", "2", "3"], level: Float = 10, levelRate: Float = 0.25
    ) throws -> ModelPackage {
        let spec = FeatureSpec(
            form: .profile, window: 14, levelRate: levelRate, inputs: [], output: .logResidual)
        var network = IntegerNetwork(shape: NetworkShape(inputWidth: 1, units: units))
        for i in network.inputKernel.indices { network.inputKernel[i] = Int8(i * 7 % 100) }
        for i in network.denseKernel.indices { network.denseKernel[i] = Int8(10 + i) }
        network.outputScale = 1.0 / 65_536
        var package = ModelPackage(
            manifest: Manifest(
                family: "f", variant: variant,
                requiredFeatures: Engine.requiredFeatures(
                    for: network.shape.cell, inputs: spec.inputs), spec: spec,
                store: try store.map { try StoreID($0) },
                asOf: asOf, release: release),
            network: network, profiles: [.flat],
            starts: try items.map {
                SeriesStart(item: try ItemID($0), level: level, scale: 1, profile: 0)
            })
        package.manifest.arenaBytes = package.arenaBytes()
        let engine = try Engine(package, budgetBytes: .max)
        let days = (0..<14).map { DemandDay(units: Int32($0)) }
        let target = asOf.advanced(by: 1)
        let forecast = engine.forecast(index: 0, level: level, recentDays: days, target: target)
        package.goldenVectors = [
            GoldenVector(
                item: 0, level: level, target: target, recentDays: days,
                networkOutput: forecast.networkOutput, units: forecast.units)
        ]
        return package
    }

    static func day(_ offset: Int) -> BusinessDay { asOf.advanced(by: offset) }
}

extension AgentService {
    /// The service of a device in `folder`, as a start of the program makes it.
    static func start(
        _ folder: TemporaryFolder, checks: Bool = false, clock: AgentClock = AgentClock()
    ) throws -> AgentService {
        let service = try AgentService(
            store: try AgentStore.open(directory: folder.path, checks: checks), clock: clock)
        // Timed once for all tests, not at each start.
        service.references = timed
        return service
    }

    private static let timed = EngineTiming.references()

    func sell(_ units: UInt32, of item: String, on day: BusinessDay, ref: String? = nil) throws {
        _ = try record([
            Sale(
                day: day, item: try ItemID(item), units: units,
                reference: ref.map { [UInt8]($0.utf8) })
        ])
    }
}
