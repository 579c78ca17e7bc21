/// A Debian package made into another one, for tests of what an upgrade keeps and refuses.
package enum DebianPackage {
    package struct Failed: Error, CustomStringConvertible {
        package var description: String
    }

    /// Writes a package as it is but for its version.
    /// - Parameters:
    ///   - readable: the newest state that its program reads, by what its preinst says; nil: as it is.
    ///   - file: where it goes.
    /// - Throws: `Failed`, with what dpkg-deb said.
    package static func repack(
        _ package: String, as version: String, readable: Int? = nil, to file: String
    ) throws {
        let folder = try TemporaryFolder()
        let state = readable.map {
            "sed -i 's/^readable=.*/readable=\($0)/' \"$2/package/DEBIAN/preinst\""
        }
        // gzip: a test waits for it.
        let shell = try ChildProcess(
            "/bin/sh",
            [
                "-ec",
                """
                dpkg-deb --raw-extract "$1" "$2/package"
                sed -i 's/^Version: .*/Version: \(version)/' "$2/package/DEBIAN/control"
                \(state ?? "")
                dpkg-deb --root-owner-group -Zgzip --build "$2/package" "$3"
                """, "sh", package, folder.path, file,
            ])
        guard shell.wait(secondsMax: 600) == ChildProcess.End(status: 0, signal: 0) else {
            throw Failed(
                description: "\(package) as \(version): " + (try shell.output() + shell.errors()))
        }
    }
}
