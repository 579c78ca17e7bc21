import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Ctrl-C in a command that is long and can stop between two steps. A second one ends the process
/// at once.
enum Interruption {
    private static let flag = Atomic<Bool>(false)

    static func watch() {
        _ = flag.load(ordering: .relaxed)  // made before the handler can run
        signal(SIGINT) { _ in
            Interruption.flag.store(true, ordering: .relaxed)
            signal(SIGINT, SIG_DFL)
        }
    }

    static var hasHappened: Bool { flag.load(ordering: .relaxed) }

    /// What a shell expects of a process that Ctrl-C has ended.
    static let exitStatus: Int32 = 130
}
