import SyncProtocol

extension MessageKind {
    /// As sync.proto writes it: "JoinRequest".
    var name: String {
        let name = "\(self)"
        return name.prefix(1).uppercased() + name.dropFirst()
    }
}
