import Glibc

/// What the system says about an `errno` value.
enum SystemMessage {
    static func text(of code: Int32) -> String { String(cString: strerror(code)) }
}

/// A small file that only its owner may read (0600), and that is there whole or not at all.
enum PrivateFile {
    /// Keys and certificates are a few hundred bytes; more than this is not ours.
    static let bytesMax = 64 << 10

    /// Writes `bytes` beside `path`, forces them to disk and renames: a crash at any moment leaves the
    /// old content or the new one.
    static func write(_ bytes: [UInt8], to path: String) throws(HubIdentityError) {
        let temporary = path + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("create", temporary) }
        do throws(HubIdentityError) {
            // A leftover of an interrupted run may have come with other rights.
            guard fchmod(descriptor, 0o600) == 0 else { throw failure("restrict", temporary) }
            var written = 0
            while written < bytes.count {
                let step = bytes[written...].withUnsafeBytes {
                    Glibc.write(descriptor, $0.baseAddress, $0.count)
                }
                if step < 0, errno == EINTR { continue }
                guard step > 0 else { throw failure("write", temporary) }
                written += step
            }
            guard fsync(descriptor) == 0 else { throw failure("write", temporary) }
        } catch {
            close(descriptor)
            unlink(temporary)
            throw error
        }
        close(descriptor)
        guard rename(temporary, path) == 0 else {
            let error = failure("rename to", path)
            unlink(temporary)
            throw error
        }
        try syncDirectory(of: path)
    }

    /// The whole content of `path`.
    static func read(_ path: String) throws(HubIdentityError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { throw .missing(path: path) }
            throw failure("read", path)
        }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let step = chunk.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            if step < 0, errno == EINTR { continue }
            guard step >= 0 else { throw failure("read", path) }
            if step == 0 { return content }
            content += chunk[..<step]
            guard content.count <= bytesMax else {
                throw .unreadable(path: path, reason: "larger than \(bytesMax) bytes")
            }
        }
    }

    /// One that is of no use; a leftover harms nobody.
    static func remove(_ path: String) { unlink(path) }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Without this a power cut may forget the rename itself.
    private static func syncDirectory(of path: String) throws(HubIdentityError) {
        var parent = path
        while let last = parent.last, last != "/" { parent.removeLast() }
        if parent.isEmpty { parent = "." }
        let descriptor = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", parent) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("write", parent) }
    }

    private static func failure(_ operation: String, _ path: String) -> HubIdentityError {
        .system(operation: operation, path: path, code: errno)
    }
}
