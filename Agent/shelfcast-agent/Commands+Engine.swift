import AgentCore
import AgentRuntime
import JSONText

/// Commands about the engine, which also run where nothing has joined.
extension Commands {
    func selfTest(_ words: [String]) throws(AgentError) -> Int32 {
        let arguments = try Arguments(
            words, options: ["--state", "--kernels", "--package"], flags: ["--json"],
            positionalMax: 0)
        let name = arguments.value("--kernels")
        let reply: JSONValue
        switch try subject(arguments) {
        case .file(let content):
            guard Crypto.setUp() else { throw .failed("mbedTLS cannot be set up") }
            do throws(LocalRequestError) {
                let sets = try LocalRequest.kernels(named: name.map { [UInt8]($0.utf8) })
                reply = SelfTest.run(sets, content: content)
            } catch { throw .usage(error.text) }
        case .device:
            reply = try ask(
                arguments, "selftest", [.init("kernels", name.map { .string($0) } ?? .null)])
        }
        // Without it, nothing was tested.
        guard reply["kernels"] != nil else {
            try Self.check(reply)
            return 0
        }
        if arguments.has("--json") { Self.print(reply) } else { Report.selfTest(reply) }
        try Self.check(reply)
        return 0
    }

    func benchmark(_ words: [String]) throws(AgentError) -> Int32 {
        let arguments = try Arguments(
            words, options: ["--state", "--package"], flags: ["--json"], positionalMax: 0)
        let reply: JSONValue
        switch try subject(arguments) {
        case .file(let content):
            guard Crypto.setUp() else { throw .failed("mbedTLS cannot be set up") }
            reply = Benchmark.run(content: content)
        case .device: reply = try ask(arguments, "benchmark", [])
        }
        try Self.check(reply)
        if arguments.has("--json") { Self.print(reply) } else { Report.benchmark(reply) }
        return 0
    }

    private enum Subject {
        /// What the state directory's agent runs.
        case device
        /// A package file, or none where nothing has joined.
        case file([UInt8]?)
    }

    private func subject(_ arguments: Arguments) throws(AgentError) -> Subject {
        guard let path = arguments.value("--package") else {
            return StateDirectory.exists(Self.statePath(arguments)) ? .device : .file(nil)
        }
        guard let content = Files.read(path, bytesMax: Int(AgentStore.packageBytesMax)) else {
            throw .failed(
                "cannot read \(path): there is no such file, or it has more than the \(AgentStore.packageBytesMax) bytes of a package"
            )
        }
        return .file(content)
    }
}
