import ArgumentParser
import Foundation
import HubCore
import HubStore
import HubSync

struct KeysExportCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the repository as files, for any client of The Update Framework.",
        discussion: """
            DIR/metadata and DIR/targets, to be served over HTTP; a client begins with metadata/1.root.json, or \
            with the root.json it was given. Again into the same folder brings it up to date; the \
            timestamp comes last, so that a client never sees half of it. Export at least every two weeks: \
            a timestamp is good for no longer.

            Example:
              shelfcast-hub keys export /srv/www/shelfcast
            """)

    @Argument(help: "The folder; made if it is not there.")
    var folder: String
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let store = try data.openStore()
        try await data.repository(of: store).refresh(at: Timestamp(Date()))
        let (files, targets) = try await store.repositoryContents()
        let packages = PackageFiles(dataDirectory: data.directory)
        for target in targets {
            guard let package = try await store.package(digest: target.digest),
                let bytes = packages.read(
                    digest: target.digest, offset: 0, bytesMax: package.packageBytes),
                bytes.count == package.packageBytes
            else {
                throw CommandFailure(
                    .failed,
                    "\(PackageFiles.name(of: target.digest)) is missing or cut short: restore the data"
                        + " directory's folder 'packages' from its backup")
            }
            var parts = target.path.split(separator: "/").map(String.init)
            let name = parts.removeLast()
            try write(
                bytes,
                "targets/"
                    + (parts + ["\(hexadecimal(target.digest)).\(name)"])
                    .joined(separator: "/"))
        }
        let isLast = { (file: MetadataFile) in file.role == TrustRole.timestamp.rawValue }
        for file in files.filter({ !isLast($0) }) + files.filter(isLast) {
            if file.role == TrustRole.root.rawValue { try write(file.bytes, "metadata/root.json") }
            try write(file.bytes, "metadata/" + file.fileName)
        }
        Console.print(
            "\(FleetText.count(files.count, "metadata file")) and \(FleetText.count(targets.count, "package")) are in"
                + " \(folder)")
    }

    /// Whole or not at all; what is there already stays.
    private func write(_ bytes: [UInt8], _ name: String) throws {
        let path = folder + "/" + name
        let url = URL(fileURLWithPath: path)
        do {
            if let there = FileManager.default.contents(atPath: path), [UInt8](there) == bytes {
                return
            }
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: url, options: .atomic)
        } catch {
            throw CommandFailure(.failed, "cannot write \(path): \(fileProblem(error))")
        }
    }
}
