import CPosix

/// Where a device that has not joined finds a join token by itself: what an image, a boot loader or a machine's maker
/// put there, so that it joins at its first start.
package struct TokenSource {
    /// In the state directory; in `/etc/shelfcast` it is `token`. The token as the hub printed it, alone or among other text.
    package static let fileName = "join-token"
    /// What a kernel command line or an asset tag must say in front of it.
    static let key = "shelfcast.token="
    static let prefix = "shelfcast1."
    static let textBytesMax = 4096

    package let token: String
    /// The file it came from; nil: from the kernel or the machine.
    let path: String?

    /// The first there is: the state directory's file, `/etc/shelfcast`'s, the kernel's command line, the machine's
    /// asset tags.
    /// - Parameters:
    ///   - root: in front of what the system names.
    ///   - alsoUsed: a file that was used before counts too: for a copy of a device that has joined with it.
    package init?(directory: String, root: String = "", alsoUsed: Bool = false) {
        for file in [directory + "/" + Self.fileName, root + "/etc/shelfcast/token"] {
            for path in alsoUsed ? [file, file + Self.usedSuffix] : [file] {
                if let token = Self.token(in: path, after: "") {
                    (self.token, self.path) = (token, path)
                    return
                }
            }
        }
        for file in [
            "/proc/cmdline", "/sys/class/dmi/id/chassis_asset_tag",
            "/sys/class/dmi/id/board_asset_tag", "/sys/class/dmi/id/product_sku",
        ] {
            if let token = Self.token(in: root + file, after: Self.key) {
                (self.token, path) = (token, nil)
                return
            }
        }
        return nil
    }

    private static let usedSuffix = ".used"

    /// It has served: the next start does not look at it. Where it cannot be renamed it stays, which harms nothing.
    package func setAside() {
        guard let path, !path.utf8.reversed().starts(with: Self.usedSuffix.utf8.reversed()) else {
            return
        }
        _ = shelfcast_rename(path, path + Self.usedSuffix)
    }

    private static func token(in path: String, after key: String) -> String? {
        guard let file = Files.read(path, bytesMax: textBytesMax) else { return nil }
        let start = [UInt8]((key + prefix).utf8)
        guard file.count >= start.count else { return nil }
        for at in 0...(file.count - start.count)
        where file[at..<at + start.count].elementsEqual(start) {
            let token = file[(at + key.utf8.count)...].prefix {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
            return String(decoding: token, as: UTF8.self)
        }
        return nil
    }
}
