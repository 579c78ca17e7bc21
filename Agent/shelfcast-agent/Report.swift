import AgentCore
import AgentRuntime
import CPosix
import Forecasting
import JSONText

/// Answers for people.
enum Report {
    static func closing(_ reply: JSONValue) {
        guard !reply.isTrue("wasClosedBefore") else {
            Output.line("\(reply.shown("day")) was closed before: nothing changed")
            return
        }
        var text =
            "closed \(reply.shown("day")): \(reply.shown("forecastsCompared")) forecasts compared"
        if reply.integer("nextForecasts") > 0 {
            text += ", \(reply.shown("nextForecasts")) made for \(reply.shown("nextDay"))"
        }
        Output.line(text)
    }

    static func forecasts(_ reply: JSONValue) {
        let list = reply.list("forecasts")
        Output.line("day          item                               units    P50    P90  inputs")
        for forecast in list {
            let item = padded(forecast.shown("item"), 32)
            let shown = twoDecimals(forecast.shown("units"))
            let inputs =
                forecast.integer("daysAhead") > 1
                ? "forecasts"
                : forecast.isTrue("inputsComplete") ? "complete" : "partly this device's own"
            Output.line(
                forecast.shown("day") + "   " + item + " " + right(shown, 8)
                    + right(forecast.shown("p50"), 7) + right(forecast.shown("p90"), 7) + "  "
                    + inputs)
        }
        let closed = reply.list("closedDays")
        if list.isEmpty, closed.isEmpty { Output.line("none yet: nothing is known of any item") }
        for day in closed {
            Output.line(
                String(decoding: day.utf8 ?? [], as: UTF8.self) + "   closed, by the hub's calendar"
            )
        }
        for alert in reply.list("alerts") { Output.line(alert.shown("text")) }
    }

    /// "38.532001" as "38.53", halves up. JSON carries six decimals, so that a report can be recalculated.
    private static func twoDecimals(_ number: String) -> String {
        var hundredths: Int64 = 0
        var decimals: Int?
        for digit in number.utf8 {
            if digit == UInt8(ascii: ".") {
                decimals = 0
                continue
            }
            guard (48...57).contains(digit), hundredths < 1 << 50 else { return number }
            if let seen = decimals {
                if seen == 2 {
                    if digit >= UInt8(ascii: "5") { hundredths += 1 }
                    break
                }
                decimals = seen + 1
            }
            hundredths = hundredths * 10 + Int64(digit - 48)
        }
        guard decimals == 2 else { return number }
        let rest = hundredths % 100
        return "\(hundredths / 100)." + (rest < 10 ? "0" : "") + "\(rest)"
    }

    static func status(_ reply: JSONValue) {
        guard reply.isTrue("joined") else {
            Output.line("not joined: " + AgentError.notJoined.text)
            return
        }
        row("device", reply.shown("device"), " of store ", reply.shown("store"))
        let isConnected = reply["connection"] != nil
        row(
            "hub", reply.shown("hub"), isConnected ? ", " : "",
            isConnected ? reply.shown("connection") : "")
        row("last contact", contact(reply.integer("lastContactMilliseconds")))
        runningPackage(reply)
        let source = reply.isTrue("memoryBudgetSetByOperator") ? "set" : "derived"
        row("budget", reply.shown("memoryBudgetBytes"), " bytes (", source, ")")
        row(
            "unsent", reply.shown("unsent"), " records",
            reply.isTrue("sendsTotals") ? "; sales go as daily totals" : "",
            reply.isTrue("durable") ? "" : "; the newest sales are not on the disk yet")
        if reply["disk"] != .null { row("disk", reply.shown("disk")) }
        if reply.integer("foldedSales") > 0 {
            row("folded", reply.shown("foldedSales"), " sales into daily totals, for lack of room")
        }
        row(
            "days", "closed through ", reply.shown("lastClosedDay"), ", store known through ",
            reply.shown("lastStoreDay"), ", forecast for ", reply.shown("forecastDay"))
        if let calendar = reply["calendar"], calendar != .null {
            row("calendar", calendar.shown("text"))
        }
        if reply.isTrue("clockIsBehind") {
            row("clock", "wrong: it stands before the hub's last time; name days explicitly")
        } else if reply.isTrue("clockIsAhead") {
            row("clock", "wrong: it stands at what cannot have come; name days explicitly")
        }
        for alert in reply.list("alerts") { row("restock", alert.shown("text")) }
        for refused in reply.list("refused") {
            row("refused", short(refused.shown("digest")), ": ", refused.shown("reason"))
        }
        trust(reply["metadata"])
        if reply["lastError"] != .null { row("last error", reply.shown("lastError")) }
        if reply["notice"] != .null { row("notice", reply.shown("notice")) }
    }

    /// What runs, why, and why not.
    static func runningPackage(_ reply: JSONValue) {
        if let running = reply["running"], running != .null {
            row(
                "running", running.shown("family"), "/", running.shown("variant"), ", release ",
                running.shown("release"), ", ", running.shown("arenaBytes"), " bytes of memory, ",
                running.shown("items"), " items (", short(running.shown("digest")), ")")
        } else {
            row("running", "no package")
        }
        let reason = reply.shown("desireReason")
        row("hub wants", reply.shown("desire"), reason.utf8.isEmpty ? "" : ": ", reason)
        if reply.shown("update") != "idle" {
            row("update", reply.shown("update"), " ", short(reply.shown("updateDigest")))
            if let waits = reply["waits"], waits != .null { row("", reply.shown("waits")) }
            trial(reply["trial"])
        }
    }

    private static func trust(_ metadata: JSONValue?) {
        guard let metadata, metadata.integer("root") > 0 else { return }
        guard metadata["problem"] == .null else {
            row("metadata", metadata.shown("problem"))
            return
        }
        row(
            "metadata", "root ", metadata.shown("root"), ", timestamp ",
            metadata.shown("timestamp"), ", trusted until ", metadata.shown("expires"))
    }

    private static func trial(_ trial: JSONValue?) {
        guard let trial, trial != .null else { return }
        switch trial.shown("stage") {
        case "proving": row("trial", "its golden vectors, memory and time are being proved")
        case "due": row("trial", "passed; it takes over in its window of the day")
        default:
            row(
                "trial", "beside the active one since ", trial.shown("since"), ", ",
                trial.shown("comparedDays"), " of ", trial.shown("trialDays"), " days compared")
            guard trial["wape"] != .null else { return }
            row(
                "", "its error (WAPE) is ", trial.shown("wape"), " %, the active one's ",
                trial.shown("activeWape"), " %")
        }
    }

    static func selfTest(_ reply: JSONValue) {
        row("architecture", reply.shown("architecture"))
        row("expected", reply.shown("expected"), " (", reply.shown("networks"), " networks)")
        for kernels in reply.list("kernels") {
            row(kernels.shown("name"), kernels.shown("digest"), rightOrWrong(kernels))
        }
        guard let package = reply["package"], package != .null else {
            row("package", "none")
            return
        }
        row(
            "package", package.shown("family"), "/", package.shown("variant"), ", ",
            package.shown("goldenVectors"), " golden vectors (", short(package.shown("digest")),
            ")", rightOrWrong(package))
    }

    static func benchmark(_ reply: JSONValue) {
        row("machine", reply.shown("architecture"), ", ", reply.shown("kernels"))
        for name in ["lstm16", "lstm64", "package"] {
            guard let timed = reply[name], timed != .null else {
                row(name, "none")
                continue
            }
            row(
                name, time(timed.integer("singleNanoseconds")), " a forecast, ",
                time(timed.integer("batchNanoseconds")), " in a batch of ", reply.shown("batch"))
        }
        let source = reply["energy"] == .null ? "not exposed" : reply.shown("energy")
        if let package = reply["package"], package != .null {
            row("", package.shown("family"), "/", package.shown("variant"))
            row("arena", package.shown("arenaBytes"), " bytes")
        }
        row("peak memory", reply.shown("peakMemoryBytes"), " bytes of the process")
        let nanojoules = reply["package"]?.integer("nanojoules") ?? 0
        if nanojoules > 0 {
            row("energy", "\(nanojoules)", " nJ a forecast (", source, ")")
        } else {
            row("energy", source)
        }
    }

    /// "850 ns", "4.37 µs", "12.00 ms".
    private static func time(_ nanoseconds: Int64) -> String {
        guard nanoseconds >= 1000 else { return "\(nanoseconds) ns" }
        let isLong = nanoseconds >= 1_000_000
        let hundredths = nanoseconds / (isLong ? 10_000 : 10)
        let rest = hundredths % 100
        return "\(hundredths / 100)." + (rest < 10 ? "0" : "") + "\(rest)"
            + (isLong ? " ms" : " µs")
    }

    private static func rightOrWrong(_ part: JSONValue) -> String {
        part.isTrue("right") ? "  right" : "  WRONG"
    }

    /// The parts one after the other: far less code than interpolation, in the Embedded build.
    @inline(never)
    static func row(_ name: String, _ parts: String...) {
        var text = padded(name, 13) + " "
        for part in parts { text += part }
        Output.line(text)
    }

    private static func short(_ digest: String) -> String {
        String(decoding: digest.utf8.prefix(12), as: UTF8.self)
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.utf8.count)) + text
    }

    /// UTC.
    private static func contact(_ milliseconds: Int64) -> String {
        guard milliseconds > 0 else { return "never" }
        let seconds = milliseconds / 1000
        let day = BusinessDay(daysSince1970: Int32(truncatingIfNeeded: seconds / 86_400))
        let minutes = seconds % 86_400 / 60
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(day.iso8601) \(two(minutes / 60)):\(two(minutes % 60)) UTC"
    }
}
