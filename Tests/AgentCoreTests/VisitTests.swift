import AgentCore
import SyncProtocol
import Testing

@Suite("A visit to the hub")
struct VisitTests {
    /// A hub that answers everything at once, and what was said to it.
    struct Conversation {
        var visit: Visit
        var work = VisitWork()
        var said: [MessageKind] = []
        var done: [Visit.Action] = []

        init(_ mode: ContactMode) { visit = Visit(mode: mode) }

        /// Sends what is next; false when nothing is.
        mutating func ask() -> Bool {
            guard let next = visit.next(work) else { return false }
            let message: Message
            switch next {
            case .register: message = .register(Register())
            case .upload:
                message = .upload(
                    Upload(firstSequence: 5, records: [.close(CloseRecord(day: 1))]))
                work.hasUnsentRecords = false
            case .requestContext: message = .contextRequest(ContextRequest())
            case .fetch(let position):
                message = .fetch(Fetch(digest: position.digest, offset: 0, bytesMax: 1))
                work.fetch = nil
                work.hasReport = true
            case .report:
                message = .packageReport(PackageReport(digest: [7], outcome: .active))
                work.hasReport = false
            case .renew: message = .renewRequest(RenewRequest(csrDer: [1]))
            case .goodbye: message = .goodbye
            }
            said.append(message.kind)
            _ = visit.ask(message)
            return true
        }

        mutating func hear(_ message: Message) throws(Visit.Failure) {
            done += try visit.receive(message)
        }

        mutating func answer() throws(Visit.Failure) {
            switch said.last {
            case .register: try hear(.desiredState(DesiredState(storedThroughSequence: 4)))
            case .upload: try hear(.uploadAck(UploadAck(throughSequence: 5)))
            case .contextRequest:
                try hear(.context(Context(revision: 1, more: true)))
                try hear(.context(Context(revision: 1)))
            case .fetch: try hear(.chunk(Chunk(digest: [7])))
            case .packageReport: try hear(.noted)
            case .renewRequest: try hear(.renewReply(RenewReply(certificateDer: [9])))
            case .goodbye: try hear(.farewell(Farewell(nextContactSeconds: 60)))
            default: break
            }
        }
    }

    static let welcome = Message.welcome(Welcome(version: 1, hubTimeMs: 5, frameBytesMax: 4096))

    @Test("says everything once, sales first, and leaves")
    func wholeVisit() throws {
        var talk = Conversation(.visit)
        talk.work = VisitWork(
            hasUnsentRecords: true, fetch: FetchPosition(digest: [7], offset: 0),
            wantsRenewal: true)
        let asksBeforeWelcome = talk.ask()
        #expect(!asksBeforeWelcome)
        try talk.hear(Self.welcome)
        #expect(talk.visit.frameBytesMax == 4096)
        while talk.ask() { try talk.answer() }
        #expect(
            talk.said == [
                .register, .upload, .contextRequest, .fetch, .packageReport, .renewRequest,
                .goodbye,
            ])
        #expect(
            talk.done == [
                .noteHubTime(milliseconds: 5), .reconcile(storedThroughSequence: 4),
                .consider(DesiredState(storedThroughSequence: 4)), .acknowledge(throughSequence: 5),
                .takeContext(Context(revision: 1, more: true)), .takeContext(Context(revision: 1)),
                .takeChunk(Chunk(digest: [7])), .reportNoted(digest: [7]), .takeCertificate([9]),
                .leave(nextContactSeconds: 60),
            ])
        #expect(talk.visit.hasLeft)
    }

    @Test(
        "asks last what the one before it broke off at, and everything else as ever",
        arguments: Visit.Subject.allCases)
    func putsOff(subject: Visit.Subject) throws {
        var talk = Conversation(.visit)
        talk.visit = Visit(mode: .visit, puttingOff: subject)
        talk.work = VisitWork(
            hasUnsentRecords: true, fetch: FetchPosition(digest: [7], offset: 0),
            hasReport: true, wantsRenewal: true)
        try talk.hear(Self.welcome)
        while talk.ask() { try talk.answer() }
        let kinds: [MessageKind] = [
            .upload, .contextRequest, .fetch, .packageReport, .renewRequest,
        ]
        let late = kinds[Int(subject.rawValue) - 1]
        let early = kinds.filter { $0 != late }
        // What a fetch leads to is reported in the same visit.
        let ends: [MessageKind] =
            subject == .fetch ? [late, .packageReport, .goodbye] : [late, .goodbye]
        #expect(talk.said == [.register] + early + ends)
    }

    @Test("that stays goes on when something is new, and settles in between")
    func stay() throws {
        var talk = Conversation(.stay)
        try talk.hear(Self.welcome)
        while talk.ask() { try talk.answer() }
        #expect(talk.said == [.register, .contextRequest])
        #expect(talk.visit.isSettled && !talk.visit.hasLeft)
        talk.work.hasUnsentRecords = true
        while talk.ask() { try talk.answer() }
        try talk.hear(.contextNotice(ContextNotice(revision: 9)))
        #expect(!talk.visit.isSettled)
        _ = talk.ask()
        try talk.hear(.context(Context(revision: 9)))
        talk.work.registrationChanged = true
        _ = talk.ask()
        talk.work.registrationChanged = false
        try talk.answer()
        talk.visit.refresh()
        while talk.ask() { try talk.answer() }
        #expect(
            talk.said == [
                .register, .contextRequest, .upload, .contextRequest, .register, .register,
                .contextRequest,
            ])
        // Numbers are brought together once a connection, before anything is uploaded.
        #expect(
            talk.done.count { $0 == .reconcile(storedThroughSequence: 4) } == 1)
    }

    @Test("takes what the hub pushes between a question and its answer")
    func pushes() throws {
        var talk = Conversation(.stay)
        try talk.hear(Self.welcome)
        _ = talk.ask()
        try talk.answer()
        _ = talk.ask()  // context
        try talk.hear(.ping)
        try talk.hear(.desiredState(DesiredState(reason: "pushed")))
        try talk.hear(.contextNotice(ContextNotice(revision: 2)))
        try talk.answer()
        #expect(talk.done.contains(.send(.pong)))
        #expect(talk.done.contains(.consider(DesiredState(reason: "pushed"))))
        // The answer was of revision 1, and the hub has said there is a 2.
        #expect(talk.visit.next(talk.work) == .requestContext)
    }

    static let hubKinds: [Message] = [
        welcome, .desiredState(DesiredState()), .uploadAck(UploadAck()), .context(Context()),
        .chunk(Chunk()), .noted, .renewReply(RenewReply(certificateDer: [1])),
        .farewell(Farewell()),
    ]

    @Test("ends when the hub answers what was not asked", arguments: hubKinds.indices)
    func outOfOrder(_ index: Int) throws {
        let message = Self.hubKinds[index]
        var fresh = Visit(mode: .stay)
        if message.kind != .welcome {
            #expect(throws: Visit.Failure.outOfOrder(message.kind)) { try fresh.receive(message) }
        }
        var talk = Conversation(.stay)
        try talk.hear(Self.welcome)
        while talk.ask() { try talk.answer() }
        if message.kind != .desiredState {
            var visit = talk.visit
            #expect(throws: Visit.Failure.outOfOrder(message.kind)) { try visit.receive(message) }
        }
    }

    @Test("ends when the hub refuses, chooses an unknown version, or acknowledges nothing new")
    func endings() throws {
        let refusal = Refusal(code: .notApproved, message: "wait", retry: true)
        var visit = Visit(mode: .visit)
        #expect(throws: Visit.Failure.refused(refusal)) { try visit.receive(.refusal(refusal)) }
        #expect(throws: Visit.Failure.version(9)) {
            try visit.receive(.welcome(Welcome(version: 9)))
        }
        var talk = Conversation(.visit)
        talk.work.hasUnsentRecords = true
        try talk.hear(Self.welcome)
        _ = talk.ask()
        try talk.answer()
        _ = talk.ask()
        var uploading = talk.visit
        #expect(throws: Visit.Failure.noProgress(throughSequence: 4)) {
            try uploading.receive(.uploadAck(UploadAck(throughSequence: 4)))
        }
    }
}
