import Crypto
import FoundationEssentials
import Glibc
package import HubCore
package import HubStore

/// Why a backup was not made, is none, or was not taken back. Nothing half-done is left in any case.
package enum HubBackupError: Error, Equatable, Sendable, CustomStringConvertible {
    case inTheWay(path: String)
    case insideData(path: String)
    case notABackup(path: String, why: String)
    case damaged(file: String, why: String)
    case system(operation: String, path: String, code: Int32)

    package var description: String {
        switch self {
        case .inTheWay(let path): "'\(path)' is there already; nothing is overwritten"
        case .insideData(let path):
            "'\(path)' lies in the data directory itself; a backup belongs elsewhere, on another disk"
        case .notABackup(let path, let why): "'\(path)' is no backup of a hub: \(why)"
        case .damaged(let file, let why):
            "the backup's '\(file)' is damaged: \(why); use another one"
        case .system(let operation, let path, let code):
            "cannot \(operation) '\(path)': \(SystemMessage.text(of: code))"
        }
    }
}

/// A copy of a hub's data directory in a directory of its own, with a list of its files and what they hash to. Made while
/// the hub runs: the database as of one moment, and every key and package that it names.
package struct HubBackup: Hashable, Sendable, Codable {
    package struct File: Hashable, Sendable, Codable {
        /// Below the data directory.
        package var path: String
        package var bytes: Int
        /// In hexadecimal.
        package var sha256: String
    }

    package static let listFile = "backup.json"
    static let format = 1
    /// Folders below the data directory that are looked into, and files altogether.
    static let depthMax = 4
    static let filesMax = 1_000_000
    private static let chunkBytes = 1 << 20
    private static let listBytesMax = 256 << 20

    package var format = Self.format
    package var madeAtMilliseconds: Int64
    /// By path.
    package var files: [File] = []

    package var madeAt: Timestamp { Timestamp(millisecondsSince1970: madeAtMilliseconds) }
    package var bytes: Int { files.reduce(0) { $0 + $1.bytes } }

    private init(madeAt: Timestamp) { madeAtMilliseconds = madeAt.millisecondsSince1970 }

    // MARK: Making

    /// - Parameter path: the backup, which is not there yet; the folder it lies in is.
    /// - Throws: `HubBackupError`, `HubStoreError`.
    package static func make(
        of data: String, store: SQLiteHubStore, to path: String, at now: Timestamp
    ) async throws -> HubBackup {
        guard access(path, F_OK) != 0 else { throw HubBackupError.inTheWay(path: path) }
        let (own, parent) = (resolved(data), resolved(folder(of: path)))
        guard parent != own, !parent.hasPrefix(own + "/") else {
            throw HubBackupError.insideData(path: path)
        }
        let unfinished = path + ".unfinished"
        try discard(unfinished)
        do {
            try makeFolder(unfinished)
            var backup = HubBackup(madeAt: now)
            var found: [String: File] = [:]
            // A key that is replaced meanwhile is copied before, what the database names newly after.
            try copyAll(of: data, to: unfinished, &found)
            let database = SQLiteHubStore.fileName
            try await store.copy(to: unfinished + "/" + database)
            try flush(unfinished + "/" + database)
            try copyAll(of: data, to: unfinished, &found)
            found[database] = try describe(database, in: unfinished)
            backup.files = found.values.sorted { $0.path < $1.path }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
            try PrivateFile.write(
                Array(try encoder.encode(backup)) + [UInt8(ascii: "\n")],
                to: unfinished + "/" + listFile)
            try flushFolders(unfinished, of: backup.files)
            try rename(unfinished, to: path)
            return backup
        } catch {
            try? discard(unfinished)  // the reason is what counts; a leftover is removed next time
            throw error
        }
    }

    // MARK: Reading

    /// The list alone, unproved.
    package init(listOf path: String) throws {
        guard let content = FileManager.default.contents(atPath: path + "/" + Self.listFile),
            content.count <= Self.listBytesMax
        else {
            throw HubBackupError.notABackup(path: path, why: "it has no file \(Self.listFile)")
        }
        do { self = try JSONDecoder().decode(HubBackup.self, from: content) } catch {
            throw HubBackupError.notABackup(path: path, why: "\(Self.listFile) cannot be read")
        }
        guard format == Self.format else {
            throw HubBackupError.notABackup(
                path: path, why: "it has format \(format), and this program reads \(Self.format)")
        }
        guard files.count <= Self.filesMax, files.allSatisfy({ Self.isOwn($0.path) }),
            Set(files.map(\.path)).count == files.count
        else {
            throw HubBackupError.notABackup(
                path: path, why: "\(Self.listFile) names files that no hub has")
        }
    }

    /// Reads everything: each file is what it was, and the database is whole.
    package static func verify(_ path: String) throws -> HubBackup {
        let backup = try HubBackup(listOf: path)
        for file in backup.files {
            guard let there = try describe(file.path, in: path) else {
                throw HubBackupError.damaged(file: file.path, why: "it is missing")
            }
            guard there == file else {
                throw HubBackupError.damaged(
                    file: file.path, why: "it is not the file that was backed up")
            }
        }
        try checkContents(of: path, backup)
        return backup
    }

    private static func checkContents(of path: String, _ backup: HubBackup) throws {
        let names = Set(backup.files.map(\.path))
        let needed = [
            SQLiteHubStore.fileName, HubIdentity.rootCertificateFile, HubIdentity.rootKeyFile,
        ]
        for name in needed where !names.contains(name) {
            throw HubBackupError.damaged(file: name, why: "it is missing")
        }
        try SQLiteHubStore.check(in: path)
    }

    // MARK: Restoring

    /// Makes a data directory of a backup, proved as by `verify`, and lets the hub go on where devices will follow
    /// (`SQLiteHubStore.goOn`, `HubRepository.leap`).
    /// - Parameter data: not there yet, or empty.
    /// - Returns: the backup, and the rollouts that are paused.
    package static func restore(
        _ path: String, to data: String, as author: String, at now: Timestamp
    ) async throws -> (backup: HubBackup, paused: [UInt64]) {
        let backup = try HubBackup(listOf: path)
        let content = (try? FileManager.default.contentsOfDirectory(atPath: data)) ?? []
        guard access(data, F_OK) != 0 || content.isEmpty else {
            throw HubBackupError.inTheWay(path: data)
        }
        let unfinished = data + ".unfinished"
        try discard(unfinished)
        do {
            try makeFolder(unfinished)
            for file in backup.files {
                guard let copied = try copy(file.path, from: path, to: unfinished) else {
                    throw HubBackupError.damaged(file: file.path, why: "it is missing")
                }
                guard copied == file else {
                    throw HubBackupError.damaged(
                        file: file.path, why: "it is not the file that was backed up")
                }
            }
            try makeFolder(unfinished + "/packages")
            try checkContents(of: unfinished, backup)
            _ = try HubIdentity.open(in: unfinished)
            let store = try SQLiteHubStore.open(in: unfinished, author: author)
            let paused = try await store.goOn(fromCopyOf: backup.madeAt, at: now)
            try await HubRepository(dataDirectory: unfinished, store: store).leap(at: now)
            try await store.close()
            try flushFolders(unfinished, of: backup.files)
            if access(data, F_OK) == 0, rmdir(data) != 0 { throw failure("replace", data) }
            try rename(unfinished, to: data)
            return (backup, paused)
        } catch {
            try? discard(unfinished)  // the reason is what counts; a leftover is removed next time
            throw error
        }
    }

    // MARK: Several

    /// Backups in `folder` by age, the oldest first; what is not one is left out.
    package static func all(in folder: String) -> [(path: String, backup: HubBackup)] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.compactMap { name -> (path: String, backup: HubBackup)? in
            let path = folder + "/" + name
            return (try? HubBackup(listOf: path)).map { (path, $0) }
        }.sorted { $0.backup.madeAtMilliseconds < $1.backup.madeAtMilliseconds }
    }

    /// Removes the oldest backups of `folder`, so that `count` stay.
    /// - Returns: what was removed.
    package static func prune(_ folder: String, keeping count: Int) throws -> [String] {
        let removed = all(in: folder).dropLast(max(1, count)).map(\.path)
        for path in removed { try discard(path) }
        return removed
    }

    // MARK: Files

    /// Whether a list may name it: below its folder, and none of its own.
    private static func isOwn(_ path: String) -> Bool {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return (1...depthMax).contains(parts.count) && path != listFile
            && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }

    /// What another command is just writing, or what only means something to a running one.
    private static func isPassing(_ name: String) -> Bool {
        name.hasPrefix(SQLiteHubStore.fileName)
            || [".new", ".unfinished", ".lock"].contains { name.hasSuffix($0) }
    }

    private static func copyAll(
        of data: String, to target: String, _ found: inout [String: File]
    ) throws {
        var folders = [""]
        while let folder = folders.popLast() {
            let names: [String]
            do {
                names = try FileManager.default.contentsOfDirectory(atPath: data + "/" + folder)
            } catch { throw HubBackupError.system(operation: "read", path: data, code: EIO) }
            for name in names where !isPassing(name) {
                let path = folder.isEmpty ? name : folder + "/" + name
                // What has gone meanwhile is nobody's any more.
                let attributes = try? FileManager.default.attributesOfItem(
                    atPath: data + "/" + path)
                guard found[path] == nil, let kind = attributes?[.type] as? FileAttributeType else {
                    continue
                }
                switch kind {
                case .typeDirectory:
                    guard path.split(separator: "/").count < depthMax else { continue }
                    try makeFolder(target + "/" + path)
                    folders.append(path)
                case .typeRegular:
                    guard found.count < filesMax, isOwn(path) else { continue }
                    found[path] = try copy(path, from: data, to: target)
                default: continue
                }
            }
        }
    }

    /// - Returns: nil when there is no such file.
    private static func copy(_ path: String, from: String, to target: String) throws -> File? {
        let source = open(from + "/" + path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard source >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("read", from + "/" + path)
        }
        defer { close(source) }
        try makeFolder(folder(of: target + "/" + path))
        let copy = open(target + "/" + path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard copy >= 0 else { throw failure("write", target + "/" + path) }
        defer { close(copy) }
        let file = try read(source, path, from) { chunk in
            var written = 0
            while written < chunk.count {
                let step = write(copy, chunk.baseAddress! + written, chunk.count - written)
                if step < 0, errno == EINTR { continue }
                guard step > 0 else { throw failure("write", target + "/" + path) }
                written += step
            }
        }
        guard fsync(copy) == 0 else { throw failure("write", target + "/" + path) }
        return file
    }

    /// - Returns: nil when there is no such file.
    private static func describe(_ path: String, in folder: String) throws -> File? {
        let source = open(folder + "/" + path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard source >= 0 else {
            if errno == ENOENT { return nil }
            throw failure("read", folder + "/" + path)
        }
        defer { close(source) }
        return try read(source, path, folder) { _ in }
    }

    private static func read(
        _ source: Int32, _ path: String, _ folder: String,
        _ use: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> File {
        var (hash, bytes) = (SHA256(), 0)
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: 16)
        defer { chunk.deallocate() }
        while true {
            let step = Glibc.read(source, chunk.baseAddress, chunk.count)
            if step < 0, errno == EINTR { continue }
            guard step >= 0 else { throw failure("read", folder + "/" + path) }
            if step == 0 { break }
            let part = UnsafeRawBufferPointer(rebasing: chunk[..<step])
            hash.update(bufferPointer: part)
            bytes += step
            try use(part)
        }
        return File(path: path, bytes: bytes, sha256: hexadecimal(hash.finalize()))
    }

    private static func folder(of path: String) -> String {
        let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
        return parent.isEmpty ? "." : parent
    }

    private static func resolved(_ path: String) -> String {
        URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.path
    }

    private static func makeFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch { throw failure("make", path) }
    }

    private static func discard(_ path: String) throws {
        guard access(path, F_OK) == 0 else { return }
        do { try FileManager.default.removeItem(atPath: path) } catch {
            throw failure("remove", path)
        }
    }

    private static func flush(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("write", path) }
    }

    /// Without this a power cut may forget names.
    private static func flushFolders(_ path: String, of files: [File]) throws {
        var folders: Set<String> = []
        for file in files {
            var parts = file.path.split(separator: "/").dropLast()
            while !parts.isEmpty {
                folders.insert(parts.joined(separator: "/"))
                parts.removeLast()
            }
        }
        for folder in folders { try flush(path + "/" + folder) }
        try flush(path)
    }

    private static func rename(_ path: String, to name: String) throws {
        guard Glibc.rename(path, name) == 0 else { throw failure("rename to", name) }
        try flush(folder(of: name))
    }

    private static func failure(_ operation: String, _ path: String) -> HubBackupError {
        .system(operation: operation, path: path, code: errno)
    }
}
