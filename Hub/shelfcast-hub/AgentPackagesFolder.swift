import Foundation
import HubWeb

/// Where the packages are that new devices are installed from, and what an operator is told of them.
enum AgentPackagesFolder {
    static let system = "/usr/share/shelfcast/agent"

    /// In a working copy, what `make packages` leaves there.
    static var standard: String {
        let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        let parts = program.pathComponents
        guard let build = parts.lastIndex(of: ".build") else { return system }
        return URL(filePath: "/").appending(path: parts[1...build].joined(separator: "/"))
            .appending(path: "packages").path(percentEncoded: false)
    }

    static func summary(of packages: AgentPackages) -> String {
        let newest = packages.newest
        guard !newest.isEmpty else {
            return "no agent packages in \(packages.directory); 'make packages' builds them"
        }
        let shown = AgentPackageName.architectures.compactMap { architecture in
            let versions = Set(
                newest.map(\.name).filter { $0.architecture == architecture }.map(\.version))
            return versions.isEmpty
                ? nil : architecture + " " + versions.sorted().joined(separator: ", ")
        }
        return "agents for \(shown.joined(separator: "; "))"
    }

    /// As it stands in a URL.
    static func authority(_ host: String, _ port: Int) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
