/// What `/install` answers: `Install/install.sh` with its first lines filled in.
package enum InstallScript {
    /// - Parameters:
    ///   - authority: host and port as the device reached them, checked by `isAuthority`.
    ///   - pin: of the hub's key, "sha256//…".
    package static func text(
        authority: String, pin: String, packages: [AgentPackages.Package]
    ) -> String {
        let lines = packages.map {
            "\($0.name.architecture) \($0.name.form.rawValue) \($0.name.version) \($0.name.text)"
                + " \($0.sha256)"
        }
        // None of these can hold a quote: what an authority, a version and base64 may be leaves no room for one.
        return template.replacing("@HUB@", with: "https://" + authority)
            .replacing("@PIN@", with: pin)
            .replacing("@PACKAGES@", with: lines.joined(separator: "\n"))
    }

    private static var template: String {
        String(decoding: PackageResources.install_sh, as: UTF8.self)
    }

    /// Whether a Host header is a host name or address with or without a port, and nothing else: it goes into
    /// a shell script.
    package static func isAuthority(_ text: String) -> Bool {
        var rest = Substring(text).utf8
        guard rest.count <= 261 else { return false }
        if let colon = rest.lastIndex(of: UInt8(ascii: ":")), rest.last != UInt8(ascii: "]") {
            let port = rest[rest.index(after: colon)...]
            guard (1...5).contains(port.count), port.allSatisfy({ (0x30...0x39).contains($0) })
            else { return false }
            rest = rest[..<colon]
        }
        if rest.first == UInt8(ascii: "[") {
            guard rest.last == UInt8(ascii: "]") else { return false }
            let address = rest.dropFirst().dropLast()
            return !address.isEmpty
                && address.allSatisfy {
                    isHexadecimal($0) || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".")
                }
        }
        guard let first = rest.first, first != UInt8(ascii: "-") else { return false }
        return rest.allSatisfy {
            isLetterOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
    }
}
