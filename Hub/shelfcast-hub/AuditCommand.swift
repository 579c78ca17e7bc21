import ArgumentParser
import HubCore
import HubStore

struct AuditCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show who changed what runs, or who may do what, when and why.",
        discussion: """
            Newest first. AUTHOR is os:NAME for who used this command line, user:NAME for the API, \
            device:ID for a device that joined, autopilot for models that it trained and pushed, and hub for \
            what rollouts did by themselves. The log is only ever added to.

            Examples:
              shelfcast-hub audit
              shelfcast-hub audit --last 1000 --json
            """)

    @Option(help: "How many lines.")
    var last = 50
    @OptionGroup var json: JSONOption
    @OptionGroup var data: DataOptions

    private struct Line: Encodable {
        var id: Int64
        var at: String
        var author: String
        var action: String
        var object: String
        var why: String
    }

    func validate() throws {
        guard (1...1_000_000).contains(last) else {
            throw ValidationError("--last is 1 to 1000000")
        }
    }

    func perform() async throws {
        let records = try await data.openStore().audit(countMax: last)
        if json.isOn {
            return try Console.printJSON(
                records.map {
                    Line(
                        id: $0.id, at: FleetText.moment($0.at), author: $0.author,
                        action: $0.action, object: $0.object, why: $0.why)
                })
        }
        guard !records.isEmpty else { return Console.print("nothing was changed yet") }
        var table = TextTable([
            ("AT", .left), ("AUTHOR", .left), ("DID", .left), ("TO", .left), ("WHY", .left),
        ])
        for record in records {
            table.add([
                FleetText.moment(record.at), record.author, record.action, record.object,
                record.why,
            ])
        }
        Console.print(table.text)
    }
}
