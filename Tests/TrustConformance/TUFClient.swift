import Foundation
import UpdateTrust

/// The client of `Sources/UpdateTrust` with the command line of the public TUF conformance suite:
///
///     shelfcast-tuf-client --metadata-dir D init ROOT.json
///     shelfcast-tuf-client --metadata-dir D --metadata-url U refresh
///     shelfcast-tuf-client --metadata-dir D --metadata-url U --target-name T … --target-base-url U --target-dir D download
///
/// Exit code 0 when all of it went well, else 1, and then standard error says what did not.
@main
enum TUFClient {
    struct Failure: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    static func main() {
        do {
            try run(Array(CommandLine.arguments.dropFirst()))
        } catch let error as MetadataError {
            fail(error.explanation)
        } catch let error as Failure {
            fail(error.text)
        } catch {
            fail("\(error)")
        }
    }

    private static func fail(_ text: String) -> Never {
        FileHandle.standardError.write(Data("shelfcast-tuf-client: \(text)\n".utf8))
        exit(1)
    }

    private static func run(_ arguments: [String]) throws {
        var options: [String: [String]] = [:]
        var words: [String] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--") else {
                words.append(argument)
                continue
            }
            guard let value = rest.popFirst() else { throw Failure("\(argument) needs a value") }
            options[argument, default: []].append(value)
        }
        func option(_ name: String) throws -> String {
            guard let value = options[name]?.last else { throw Failure("\(name) is missing") }
            return value
        }

        let metadata = Folder(try option("--metadata-dir"))
        switch words.first {
        case "init" where words.count == 2:
            guard let root = try Folder.read(words[1]) else {
                throw Failure("\(words[1]) is missing")
            }
            _ = try begin(root)
            try metadata.write("root.json", root)
        case "refresh" where words.count == 1:
            var walk = try begin(metadata)
            _ = try follow(&walk, from: walk.next(nil), metadata, try option("--metadata-url"))
        case "download" where words.count == 1:
            let url = try option("--metadata-url")
            var walk = try begin(metadata)
            _ = try follow(&walk, from: walk.next(nil), metadata, url)
            let targets = Folder(try option("--target-dir"))
            let names = options["--target-name"] ?? []
            guard !names.isEmpty else { throw Failure("--target-name is missing") }
            for name in names {
                let step = try follow(&walk, from: walk.find([UInt8](name.utf8)), metadata, url)
                guard case .found(let file) = step else { throw Failure("no target '\(name)'") }
                try download(
                    file, from: try option("--target-base-url"), isConsistent: walk.isConsistent,
                    into: targets)
            }
        default: throw Failure("init ROOT.json, refresh or download")
        }
    }

    private static func begin(_ folder: Folder) throws -> UpdateWalk<LibraryCryptography> {
        guard let root = try folder.read("root.json") else {
            throw Failure("no root.json: init first")
        }
        return try begin(root)
    }

    private static func begin(_ root: [UInt8]) throws -> UpdateWalk<LibraryCryptography> {
        try UpdateWalk(
            root: root, now: Int64(Date().timeIntervalSince1970), limits: .generous,
            cryptography: LibraryCryptography())
    }

    /// Does what the walk says until it has an answer.
    private static func follow(
        _ walk: inout UpdateWalk<LibraryCryptography>,
        from first: UpdateWalk<LibraryCryptography>.Step, _ folder: Folder, _ url: String
    ) throws -> UpdateWalk<LibraryCryptography>.Step {
        var step = first
        while true {
            switch step {
            case .read(let role):
                step = try walk.next(try folder.read(name(role.escaped)))
            case .fetch(let request):
                let path = String(decoding: request.fileName, as: UTF8.self)
                step = try walk.next(
                    try HTTP.get(join(url, path), bytesMax: UInt64(request.bytesMax)))
            case .keep(let role, let bytes):
                try folder.write(name(role.escaped), bytes)
                step = try walk.next(nil)
            case .current, .found, .absent:
                return step
            }
        }
    }

    private static func download(
        _ file: TargetFile, from url: String, isConsistent: Bool, into folder: Folder
    ) throws {
        let name = String(decoding: RoleName.escape(file.path), as: UTF8.self)
        func isRight(_ bytes: [UInt8]) -> Bool {
            UInt64(bytes.count) == file.length && file.digests.match(bytes, LibraryCryptography())
        }
        if let bytes = try folder.read(name), isRight(bytes) { return }
        let location = HTTP.escape(file.location(isConsistent: isConsistent))
        guard let bytes = try HTTP.get(join(url, location), bytesMax: file.length) else {
            throw Failure("the repository does not have target '\(name)'")
        }
        guard isRight(bytes) else { throw Failure("target '\(name)' is not what was signed") }
        try folder.write(name, bytes)
    }

    private static func name(_ role: [UInt8]) -> String {
        String(decoding: role, as: UTF8.self) + ".json"
    }

    private static func join(_ url: String, _ path: String) -> String {
        url.hasSuffix("/") ? url + path : url + "/" + path
    }
}
