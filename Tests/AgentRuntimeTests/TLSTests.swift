import AgentRuntime
import CPosix
import Foundation
import TestSupport
import Testing

/// Certificates and servers made by the `openssl` program: another implementation than ours.
final class OpenSSL {
    static let path = ["/usr/bin/openssl", "/usr/local/bin/openssl"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    let folder = TemporaryFolder()
    private var servers: [ChildProcess] = []

    struct Failed: Error { var text: String }

    @discardableResult
    func run(_ words: String) throws -> String {
        let process = try ChildProcess(
            Self.path ?? "", words.split(separator: " ").map(String.init), directory: folder.path)
        guard process.wait().status == 0 else {
            throw Failed(text: words + "\n" + (try process.errors()))
        }
        return try process.output()
    }

    func makeCA(_ name: String) throws {
        try run("ecparam -name prime256v1 -genkey -noout -out \(name)-key.pem")
        try run(
            "req -x509 -new -key \(name)-key.pem -subj /CN=\(name) -days 3650 -out \(name).pem")
        try run("x509 -in \(name).pem -outform DER -out \(name).der")
        try FileManager.default.createDirectory(
            atPath: folder.file("\(name)-db"), withIntermediateDirectories: true)
        try Data().write(to: URL(fileURLWithPath: folder.file("\(name)-db/index")))
        try Data("01\n".utf8).write(to: URL(fileURLWithPath: folder.file("\(name)-db/serial")))
        let config = """
            [ca]
            default_ca = one
            [one]
            database = \(name)-db/index
            serial = \(name)-db/serial
            new_certs_dir = \(name)-db
            certificate = \(name).pem
            private_key = \(name)-key.pem
            default_md = sha256
            policy = any
            copy_extensions = copy
            unique_subject = no
            [any]
            commonName = supplied

            """
        try Data(config.utf8).write(to: URL(fileURLWithPath: folder.file("\(name).cnf")))
    }

    /// A key and certificate for the DNS name `dns`, valid from and to the given times.
    func makeLeaf(
        _ name: String, by ca: String, dns: String = "shelfcast-hub",
        from: String = "20240101000000Z", to: String = "20980101000000Z"
    ) throws {
        try run("ecparam -name prime256v1 -genkey -noout -out \(name)-key.pem")
        try run("ec -in \(name)-key.pem -outform DER -out \(name)-key.der")
        try run(
            "req -new -key \(name)-key.pem -subj /CN=\(name) -addext subjectAltName=DNS:\(dns) -out \(name).csr"
        )
        try run(
            "ca -batch -notext -config \(ca).cnf -in \(name).csr -startdate \(from) -enddate \(to) -out \(name).pem"
        )
        try run("x509 -in \(name).pem -outform DER -out \(name).der")
    }

    func bytes(_ file: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.file(file))))
    }

    /// A server on a free port that sends each line back reversed. Returns the port.
    func serve(_ leaf: String, chain: String, more: String = "-tls1_3") throws -> UInt16 {
        let process = try ChildProcess(
            Self.path ?? "",
            "s_server -accept 127.0.0.1:0 -rev -cert \(leaf).pem -key \(leaf)-key.pem -cert_chain \(chain).pem \(more)"
                .split(separator: " ").map(String.init),
            directory: folder.path, input: .lifeline)
        servers.append(process)
        guard let line = try process.line(where: { $0.contains("ACCEPT") }) else {
            throw Failed(text: "s_server ended: \(try process.errors())")
        }
        guard let port = line.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw Failed(text: "no port in: \(line)")
        }
        return port
    }
}

@Suite("A TLS connection to the hub", .enabled(if: OpenSSL.path != nil), .serialized)
struct TLSTests {
    let openssl = OpenSSL()

    init() throws {
        #expect(Crypto.setUp())
        try openssl.makeCA("ca")
    }

    /// "open", or why it did not come to that.
    func connect(_ port: UInt16, _ trust: Trust) -> String {
        do {
            let connection = SecureConnection(host: "127.0.0.1", port: port, trust: trust)
            try Self.open(connection)
            return "open"
        } catch {
            return (error as? ConnectionError).map { "\($0.kind): \($0.text)" } ?? "\(error)"
        }
    }

    static func open(_ connection: SecureConnection) throws {
        for _ in 0..<500 {
            let wanted: Int
            switch try connection.advance() {
            case .done: return
            case .waitToRead: wanted = SHELFCAST_POLL_READ
            case .waitToWrite: wanted = SHELFCAST_POLL_WRITE
            }
            Self.wait(connection, wanted)
        }
        throw ConnectionError(.unreachable, "too many steps")
    }

    static func wait(_ connection: SecureConnection, _ wanted: Int) {
        var entry = shelfcast_poll_entry(
            descriptor: connection.descriptor, wanted: UInt8(wanted), ready: 0)
        _ = shelfcast_poll(&entry, 1, 10_000)
    }

    @Test("opens to the hub of our CA, with our certificate, and carries bytes both ways")
    func mutual() throws {
        try openssl.makeLeaf("hub", by: "ca")
        try openssl.makeLeaf("device", by: "ca", dns: "device-1")
        let port = try openssl.serve("hub", chain: "ca", more: "-tls1_3 -Verify 2 -CAfile ca.pem")
        let trust = Trust(
            anchor: .ca(try openssl.bytes("ca.der")), certificate: try openssl.bytes("device.der"),
            key: try openssl.bytes("device-key.der"))
        let connection = SecureConnection(host: "localhost", port: port, trust: trust)
        try Self.open(connection)
        connection.send([UInt8]("hello\n".utf8))
        var heard: [UInt8] = []
        for _ in 0..<100 where heard.count < 6 {
            try connection.flush()
            heard += try connection.receive() ?? []
            if heard.count < 6 { Self.wait(connection, SHELFCAST_POLL_READ) }
        }
        #expect(String(decoding: heard, as: UTF8.self) == "olleh\n")
    }

    @Test("without the certificate that the hub asks for ends with a reason")
    func noCertificate() throws {
        try openssl.makeLeaf("hub", by: "ca")
        let port = try openssl.serve("hub", chain: "ca", more: "-tls1_3 -Verify 2 -CAfile ca.pem")
        let connection = SecureConnection(
            host: "127.0.0.1", port: port, trust: Trust(anchor: .ca(try openssl.bytes("ca.der"))))
        // TLS 1.3: the device is done before the hub has looked at what it sent.
        let error = #expect(throws: ConnectionError.self) {
            try Self.open(connection)
            for _ in 0..<100 {
                guard try connection.receive() != nil else { return }
                Self.wait(connection, SHELFCAST_POLL_READ)
            }
        }
        #expect(error?.text.contains("does not accept this device's certificate") == true)
    }

    @Test("is refused where the certificate is another CA's, for another name, or out of its time")
    func refusals() throws {
        try openssl.makeCA("other")
        try openssl.makeLeaf("stranger", by: "other")
        try openssl.makeLeaf("printer", by: "ca", dns: "printer")
        try openssl.makeLeaf("expired", by: "ca", to: "20250101000000Z")
        try openssl.makeLeaf("future", by: "ca", from: "20970101000000Z")
        let trust = Trust(anchor: .ca(try openssl.bytes("ca.der")))
        var behind = trust
        behind.clockIsBehind = true
        func reason(_ leaf: String, _ trust: Trust) throws -> String {
            connect(try openssl.serve(leaf, chain: "ca"), trust)
        }
        let ours = "refused: this is not our hub: its certificate "
        #expect(
            try reason("stranger", trust) == ours + "was not issued by the CA this device joined")
        #expect(try reason("printer", trust) == ours + "does not carry the name of a hub")
        #expect(
            try reason("expired", trust) == ours + "has expired (or this device's clock is ahead)")
        #expect(
            try reason("future", trust) == ours
                + "is not valid yet (or this device's clock is behind)")
        // A clock at 1970 locks nobody out, and lets nobody else in.
        #expect(try reason("future", behind) == "open")
        #expect(
            try reason("stranger", behind) == ours + "was not issued by the CA this device joined")
        #expect(try reason("printer", behind) == ours + "does not carry the name of a hub")
        #expect(
            try reason("expired", behind) == ours + "has expired (or this device's clock is ahead)")
    }

    @Test("while joining goes to the hub whose CA the token names, and to no other")
    func pinned() throws {
        try openssl.makeCA("other")
        try openssl.makeLeaf("hub", by: "ca")
        try openssl.makeLeaf("stranger", by: "other")
        try openssl.makeLeaf("printer", by: "ca", dns: "printer")
        let ca = try openssl.bytes("ca.der")
        let pin = Trust(anchor: .pinned(Crypto.sha256(ca)))
        let port = try openssl.serve("hub", chain: "ca")
        let connection = SecureConnection(host: "127.0.0.1", port: port, trust: pin)
        try Self.open(connection)
        #expect(connection.joinedCA == ca)

        let notOurs =
            "refused: this is not the hub the token names: none of its certificates is the pinned CA"
        #expect(connect(try openssl.serve("stranger", chain: "other"), pin) == notOurs)
        // Our CA in the chain makes nobody ours whom it did not issue.
        #expect(
            connect(try openssl.serve("stranger", chain: "ca"), pin)
                == "refused: this is not our hub: its certificate was not issued by the CA this device joined"
        )
        #expect(
            connect(try openssl.serve("printer", chain: "ca"), pin)
                == "refused: this is not our hub: its certificate does not carry the name of a hub")
    }

    @Test("is TLS 1.3 or nothing, and says when nobody is there")
    func versions() throws {
        try openssl.makeLeaf("hub", by: "ca")
        let trust = Trust(anchor: .ca(try openssl.bytes("ca.der")))
        let port = try openssl.serve("hub", chain: "ca", more: "-tls1_2")
        #expect(connect(port, trust).starts(with: "refused: "))
        // Port 1 of the loopback: nobody listens there.
        let nobody = connect(1, trust)
        #expect(nobody.starts(with: "unreachable: the hub at 127.0.0.1:1 cannot be reached"))
    }
}

@Suite("The device's own keys")
struct CryptoTests {
    init() { #expect(Crypto.setUp()) }

    @Test("SHA-256 gives the published digests")
    func digests() {
        #expect(
            String(decoding: Hex.text(Crypto.sha256([])), as: UTF8.self)
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            String(decoding: Hex.text(Crypto.sha256([UInt8]("abc".utf8))), as: UTF8.self)
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test("are new each time, and make a signing request")
    func keys() throws {
        let key = try #require(Crypto.makeKey())
        #expect(Crypto.makeKey() != key)
        let request = try #require(Crypto.makeRequest(key: key, name: "device"))
        #expect(request.count > 100 && request[0] == 0x30)
        #expect(Crypto.makeRequest(key: [1, 2, 3], name: "device") == nil)
        #expect(!Crypto.certificate([1, 2, 3], matches: key))
        #expect(Crypto.validity(of: [1, 2, 3]) == nil)
    }

    @Test("and identity come back as they were saved, and not at all when damaged")
    func identity() throws {
        let folder = TemporaryFolder()
        #expect(Identity(in: folder.path) == nil)
        TestHub().enrol(folder)
        let identity = try #require(Identity(in: folder.path))
        #expect(identity.store == "1" && identity.hubPort == 7420)
        #expect(Configuration(in: folder.path).labels == ["aisle=dairy"])
        let mode = try FileManager.default.attributesOfItem(atPath: folder.file("device-key.der"))
        #expect(mode[.posixPermissions] as? Int == 0o600)
        #expect(Files.replace(folder.file("identity.json"), by: [UInt8]("{\"hub".utf8)) == nil)
        #expect(Identity(in: folder.path) == nil)
        #expect(Files.replace("/nowhere/at/all", by: []) != nil)
    }

    @Test("stand beside a memory budget that is held to its bounds whoever wrote it")
    func budget() throws {
        let folder = TemporaryFolder()
        for (written, read) in [(5, 5), (1 << 30, 1 << 30), (3_000_000_000, 1 << 30)] {
            #expect(Configuration(budgetBytes: UInt64(written)).save(in: folder.path) == nil)
            #expect(Configuration(in: folder.path).budgetBytes == UInt64(read))
        }
    }
}
