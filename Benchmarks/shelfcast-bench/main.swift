import Foundation

/// The benchmarks, by group. Each group prints what it measures as it goes, and says when it lacks its data.
var groups: [(name: String, run: (inout BenchReport) throws -> Void)] = [
    ("engine", EngineGroup.run),
    ("train", TrainGroup.run),
    ("accuracy", AccuracyGroup.run),
    ("article", ArticleGroup.run),
    ("import", ImportGroup.run),
    ("agent", AgentGroup.run),
    ("rollout", RolloutGroup.run),
    ("trust", TrustGroup.run),
    ("drift", DriftGroup.run),
]
// A light build has no database of the hub's.
#if WITH_HUB_STORE
    groups.append(("report", ReportGroup.run))
#endif

if CommandLine.arguments.count == 4, CommandLine.arguments[1] == CommitFloor.verb {
    CommitFloor.answer(socket: CommandLine.arguments[2], file: CommandLine.arguments[3])
}
var wanted = groups.map(\.name)
var arguments = CommandLine.arguments.dropFirst()
while let argument = arguments.popFirst() {
    guard argument == "--only", let name = arguments.popFirst(),
        groups.contains(where: { $0.name == name })
    else {
        let names = groups.map(\.name).joined(separator: "|")
        FileHandle.standardError.write(Data("usage: shelfcast-bench [--only \(names)]\n".utf8))
        exit(2)
    }
    wanted = [name]
}

var report = BenchReport()
print("Machine: \(BenchReport.machine)")
do {
    for group in groups where wanted.contains(group.name) {
        print("\n\(group.name)")
        try group.run(&report)
    }
    try report.merge(into: ".build/bench.json")
} catch {
    FileHandle.standardError.write(Data("shelfcast-bench: \(error)\n".utf8))
    exit(1)
}
