import Foundation
import Glibc
import Logging

/// Log lines as systemd's journal takes them: it dates them and knows who wrote them, and reads the level from `<N>` in front
/// (sd-daemon(3)), so that `journalctl --priority warning` finds what needs somebody.
struct JournalLogHandler: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Whether standard error is the journal (systemd.exec(5), `$JOURNAL_STREAM`) and not a pipe or file behind it.
    static var isAtHand: Bool {
        guard
            let inode = ProcessInfo.processInfo.environment["JOURNAL_STREAM"]?
                .split(separator: ":").last,
            let stream = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/self/fd/\(STDERR_FILENO)")
        else { return false }
        return stream == "socket:[\(inode)]"
    }

    func log(event: LogEvent) {
        var details = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }
        if let error = event.error { details["error"] = "\(error)" }
        details.merge(event.metadata ?? [:]) { $1 }
        Console.error(Self.line(event.level, "\(event.message)", details))
    }

    static func line(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata)
        -> String
    {
        let details = metadata.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
        // One entry is one line.
        let text = (message + details.joined()).split(whereSeparator: \.isNewline)
        return "<\(priority(level))>" + text.joined(separator: " ")
    }

    /// Of syslog(3).
    private static func priority(_ level: Logger.Level) -> Int32 {
        switch level {
        case .trace, .debug: LOG_DEBUG
        case .info: LOG_INFO
        case .notice: LOG_NOTICE
        case .warning: LOG_WARNING
        case .error: LOG_ERR
        case .critical: LOG_CRIT
        }
    }
}
