import Foundation
import TestSupport

/// The pages of a hub that serves: how long a browser on this machine waits until it has one.
final class PageTimes {
    struct Time {
        var milliseconds: Double
        var bytes: Int
    }

    private static let runs = 7

    private let server: ChildProcess
    private let address: String
    private let cookies: String

    /// Serves `data` and signs in as a viewer.
    init(hub: String, data: String) throws {
        let password = "a password of the benchmark's"
        cookies = data + "/cookies"
        _ = try Program.run(hub, ["user", "add", "clerk", "--role", "viewer", "--data", data])
        let setting = try ChildProcess(
            hub, ["user", "password", "clerk", "--data", data], input: .text(password + "\n"))
        guard setting.wait().status == 0 else {
            throw Program.Failure(description: "no password was set: \(try setting.errors())")
        }
        server = try ChildProcess(
            hub,
            [
                "serve", "--data", data, "--host", "127.0.0.1", "--port", "0", "--no-web",
                "--pages-port", "0",
            ])
        guard let line = try server.line(where: { $0.hasPrefix("pages on ") }) else {
            throw Program.Failure(description: "no pages are served: \(try server.errors())")
        }
        address = String(line.dropFirst("pages on http://".count).prefix { $0 != "/" })
        let form = try curl("/sign-in", ["--cookie-jar", cookies])
        let proof = form.components(separatedBy: "name=\"proof\" value=\"").dropFirst().first?
            .components(separatedBy: "\"")[0]
        _ = try curl(
            "/sign-in",
            [
                "--cookie", cookies, "--cookie-jar", cookies, "--data-urlencode", "name=clerk",
                "--data-urlencode", "password=" + password, "--data-urlencode",
                "proof=" + (proof ?? ""),
            ])
    }

    func stop() {
        server.terminate()
        server.wait(secondsMax: 20)
    }

    /// The median of some requests after a first one.
    /// - Throws: `Program.Failure` when it is no page.
    func time(_ path: String) throws -> Time {
        var times: [Time] = []
        for _ in 0...Self.runs {
            let words = try curl(
                path,
                [
                    "--cookie", cookies, "--output", "/dev/null", "--write-out",
                    "%{http_code} %{time_total} %{size_download}",
                ]
            ).split(separator: " ")
            guard words.count == 3, words[0] == "200", let seconds = Double(words[1]),
                let bytes = Int(words[2])
            else {
                throw Program.Failure(description: "\(path): \(words.joined(separator: " "))")
            }
            times.append(Time(milliseconds: seconds * 1_000, bytes: bytes))
        }
        return times.dropFirst().sorted { $0.milliseconds < $1.milliseconds }[Self.runs / 2]
    }

    private func curl(_ path: String, _ options: [String]) throws -> String {
        try Program.run(
            "curl",
            ["--silent", "--show-error", "--max-time", "120", "http://" + address + path]
                + options
        ).output
    }
}
