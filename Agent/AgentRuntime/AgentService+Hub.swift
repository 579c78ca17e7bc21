package import AgentCore
import Forecasting
import ModelPackage
package import SyncProtocol
import UpdateTrust

/// The device's side of a conversation: what `Visit` decides is carried out here.
extension AgentService {
    /// How many bytes of a package are asked for at once.
    static let chunkBytesMax: UInt32 = 32_768

    /// What there is to say right now.
    package func work() throws(AgentError) -> VisitWork {
        try stored { () throws(StoreError) in
            var work = VisitWork(
                hasUnsentRecords: try store.hasUnsent(), hasReport: try store.hasReport(),
                wantsRenewal: certificateIsDue, registrationChanged: registrationChanged,
                lacksContext: lacksContext)
            work.fetch = try nextPiece()
            // What keeps a package waiting may just have become news.
            if case .fetching = update.phase, work.fetch == nil {
                work.hasReport = try store.hasReport()
            }
            return work
        }
    }

    /// From two thirds of its life on a certificate is renewed (SPEC 12).
    private var certificateIsDue: Bool {
        guard let identity, let now = clock.nowMilliseconds,
            let validity = Crypto.validity(of: identity.certificate)
        else { return false }
        let life = validity.upperBound - validity.lowerBound
        return now / 1000 >= validity.lowerBound + life / 3 * 2
    }

    /// The message that says `next`; nil when there is nothing to say after all.
    package func message(for next: Visit.Next, frameBytesMax: Int) throws(AgentError) -> Message? {
        switch next {
        case .register:
            lookAtMachine()
            var register = registration()
            registered = register
            let number = try stored { () throws(StoreError) in try store.integer(.contactNumber) }
            register.contactNumber = UInt64(bitPattern: number ?? 0)
            return .register(register)
        case .upload:
            let (upload, isBrief) = try stored { () throws(StoreError) in
                (try store.nextUpload(bytesMax: frameBytesMax), try store.sendsTotals())
            }
            return upload.map { .upload(isBrief ? brief($0) : $0) }
        case .requestContext:
            let (revision, calendar) = try stored { () throws(StoreError) in
                (try store.contextRevision(), try store.keptCalendar())
            }
            contextDiffers = false
            return .contextRequest(
                ContextRequest(
                    knownRevision: revision, takesColumns: true, inFull: lacksContext,
                    takesCalendar: true, calendarDigest: calendar?.digest ?? 0))
        case .fetch(let position):
            return .fetch(
                Fetch(
                    digest: position.digest, offset: position.offset,
                    bytesMax: Self.chunkBytesMax))
        case .report:
            guard var report = try stored({ () throws(StoreError) in try store.nextReport() })
            else { return nil }
            reportSent = report
            report.running = running
            return .packageReport(report)
        case .renew:
            let identity = try joined()
            guard let request = Crypto.makeRequest(key: identity.key, name: identity.deviceID)
            else { throw .failed("a signing request cannot be made from this device's key") }
            return .renewRequest(RenewRequest(csrDer: request))
        case .goodbye:
            return .goodbye
        }
    }

    /// Without the levels that the hub can follow by itself (SPEC 9.6).
    private func brief(_ upload: Upload) -> Upload {
        guard let predictor else { return upload }
        var brief = upload
        for (at, record) in upload.records.enumerated() {
            guard case .forecast(var forecast) = record, forecast.inputsComplete,
                forecast.release == predictor.candidate.stated.release,
                let item = try? ItemID(forecast.item), predictor.engine.index(of: item) != nil
            else { continue }
            forecast.levelUnits = 0
            brief.records[at] = .forecast(forecast)
        }
        return brief
    }

    /// Carries out what a message of the hub asks for, except sending.
    package func perform(_ action: Visit.Action) throws(AgentError) {
        switch action {
        case .send, .leave:
            break
        case .noteHubTime(let milliseconds):
            clock.noteHub(milliseconds: milliseconds)
            try stored { () throws(StoreError) in
                try store.set(.timeLowerBound, .integer(clock.lowerBoundSeconds))
                try store.set(.lastContact, .integer(milliseconds))
            }
        case .reconcile(let stored):
            let moved = try self.stored { () throws(StoreError) in
                try store.reconcile(storedThrough: stored)
            }
            if moved > 0 {
                try self.stored { () throws(StoreError) in
                    try store.set(
                        .notice,
                        "\(moved) unsent records were renumbered to follow the hub's \(stored)")
                }
            }
        case .takeMetadata(let metadata):
            try take(metadata)
        case .consider(let desired):
            try consider(desired)
        case .acknowledge(let through):
            try stored { () throws(StoreError) in
                try store.transaction { () throws(StoreError) in
                    try store.acknowledge(through: through)
                    if let now = clock.nowMilliseconds {
                        try store.set(.lastContact, .integer(now))
                    }
                }
            }
        case .takeContext(let context):
            try stored { () throws(StoreError) in
                try store.transaction { () throws(StoreError) in
                    let isWhole = try store.take(context, isWhole: !contextDiffers)
                    if !isWhole { contextDiffers = true }
                    if !context.more { try refreshForecasts() }
                }
            }
            guard !context.more else { return }
            guard !lacksContext || !contextDiffers else {
                throw .failed("the hub takes days of the store for this device's own that are not")
            }
            lacksContext = contextDiffers
            goOnWithTrial()
        case .takeChunk(let chunk):
            try take(chunk)
        case .reportNoted(let digest):
            guard let sent = reportSent, sent.digest == digest else { return }
            try stored { () throws(StoreError) in try store.drop(sent) }
        case .takeCertificate(let certificate):
            try renewed(certificate)
        }
    }

    /// For `status`: how the last try to reach the hub ended. Nil text: well.
    /// - Parameter subject: what was asked last; the next conversation asks it last.
    package func note(contactError text: String?, asking subject: Visit.Subject? = nil) {
        // A full disk must not turn a status line into a failure.
        try? stored { () throws(StoreError) in
            if let text {
                try store.set(.lastError, text)
                if let subject, subject != self.subjectPutOff {
                    try store.set(.subjectPutOff, .integer(Int64(subject.rawValue)))
                }
            } else {
                if try store.text(.lastError) != nil { try store.clear(.lastError) }
                if subjectPutOff != nil { try store.clear(.subjectPutOff) }
            }
        }
    }

    /// Where the last conversation broke off: it must not keep what is asked after it from the hub for ever.
    package var subjectPutOff: Visit.Subject? {
        // Where it cannot be read, nothing is put off.
        guard let kept = try? store.integer(.subjectPutOff) else { return nil }
        return Visit.Subject(rawValue: UInt8(clamping: kept))
    }
}
