import AgentRuntime
import CPosix

// Embedded Swift has no CommandLine: the C side keeps the arguments, in both builds.
func arguments() -> [String] {
    (1..<max(1, shelfcast_argument_count())).map {
        shelfcast_argument($0).map { String(cString: $0) } ?? ""
    }
}

func start() -> Int32 {
    do throws(AgentError) {
        return try Commands(words: arguments()).execute()
    } catch {
        Output.warn("shelfcast-agent: " + error.text)
        return error.exitCode
    }
}

shelfcast_prepare_process()
shelfcast_exit(start())
