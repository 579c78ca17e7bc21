import Crypto
import FoundationEssentials
import Glibc
package import NIOCore
import Synchronization

/// The agent's packages that the hub has for its devices: the files of one directory, which `make packages`
/// fills. Read again when they change; held in memory, so that what is sent is what the digest was taken of.
package final class AgentPackages: Sendable {
    package static let filesMax = 64
    package static let fileBytesMax = 64 << 20

    /// One file.
    package struct Package: Sendable {
        package let name: AgentPackageName
        package let content: ByteBuffer
        /// 64 hexadecimal digits.
        package let sha256: String
    }

    /// What tells that a file is another than it was.
    private struct Trace: Equatable {
        var name: String
        var bytes: Int64
        var inode: UInt64
        var changedSeconds: Int
        var changedNanoseconds: Int
    }

    private struct State {
        var traces: [Trace] = []
        var packages: [Package] = []
    }

    package let directory: String
    private let state = Mutex(State())

    /// - Parameter directory: may be missing or empty: then there are no packages.
    package init(directory: String) { self.directory = directory }

    /// The newest package of each architecture and form, by name.
    package var newest: [Package] {
        state.withLock { state in
            let traces = self.traces()
            if traces != state.traces {
                state.packages = Self.newest(of: traces.compactMap(read))
                state.traces = traces
            }
            return state.packages
        }
    }

    private static func newest(of packages: [Package]) -> [Package] {
        packages.filter { package in
            !packages.contains {
                $0.name.architecture == package.name.architecture
                    && $0.name.form == package.name.form
                    && AgentPackageName.isVersion(package.name.version, before: $0.name.version)
            }
        }.sorted { $0.name.text < $1.name.text }
    }

    private func traces() -> [Trace] {
        // No directory, no packages; /install says so to whoever asks for one.
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.filter { AgentPackageName($0) != nil }.sorted().prefix(Self.filesMax)
            .compactMap { name in
                var status = stat()
                guard stat(directory + "/" + name, &status) == 0,
                    status.st_mode & S_IFMT == S_IFREG, status.st_size <= Self.fileBytesMax
                else { return nil }
                return Trace(
                    name: name, bytes: Int64(status.st_size), inode: UInt64(status.st_ino),
                    changedSeconds: status.st_ctim.tv_sec,
                    changedNanoseconds: status.st_ctim.tv_nsec)
            }
    }

    /// Nil where the file went away or may not be read: then it is not there for devices either.
    private func read(_ trace: Trace) -> Package? {
        guard let name = AgentPackageName(trace.name),
            let data = try? Data(contentsOf: URL(filePath: directory + "/" + trace.name)),
            data.count <= Self.fileBytesMax
        else { return nil }
        let digest = SHA256.hash(data: data)
        return Package(
            name: name, content: ByteBuffer(bytes: data),
            sha256: digest.map { byte in
                let digits = String(byte, radix: 16)
                return byte < 16 ? "0" + digits : digits
            }.joined())
    }
}
