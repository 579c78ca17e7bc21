import HubSync

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Puts package files where `serve` reads them: whole under their digest, or not at all.
struct PackageFileWriter {
    private let directory: String

    init(dataDirectory: String) { directory = dataDirectory + "/packages" }

    /// Durable after `synchronise`.
    func write(_ bytes: [UInt8], digest: [UInt8]) throws {
        let path = directory + "/" + PackageFiles.name(of: digest)
        let unfinished = path + ".new"
        let descriptor = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("write", path) }
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                defer { close(descriptor) }
                throw failure("write", path)
            }
            written += count
        }
        guard fsync(descriptor) == 0, close(descriptor) == 0, rename(unfinished, path) == 0 else {
            throw failure("write", path)
        }
    }

    /// Makes the new names durable too.
    func synchronise() throws {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", directory) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("synchronise", directory) }
    }

    private func failure(_ verb: String, _ path: String) -> CommandFailure {
        CommandFailure(.failed, "cannot \(verb) \(path): \(fileProblem(code: errno))")
    }
}
