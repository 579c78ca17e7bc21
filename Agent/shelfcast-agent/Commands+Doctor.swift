import AgentCore
import AgentRuntime

extension Commands {
    /// Says what is wrong with this device and what to do. Also where an agent runs, or nothing has joined.
    func doctor(_ words: [String]) throws(AgentError) -> Int32 {
        let arguments = try Arguments(
            words, options: ["--state"], flags: ["--json"], positionalMax: 0)
        let path = Self.statePath(arguments)
        guard StateDirectory.exists(path) else { throw .notJoined }
        guard Crypto.setUp() else { throw .failed("mbedTLS cannot be set up") }
        var doctor = Doctor(directory: path)
        doctor.examine()
        if arguments.has("--json") {
            Self.print(doctor.reply)
        } else {
            for finding in doctor.findings {
                Report.row(finding.name, finding.verdict.name, ": ", finding.text)
                if !finding.advice.utf8.isEmpty { Report.row("", "-> ", finding.advice) }
            }
        }
        return doctor.isWell ? 0 : 1
    }
}
