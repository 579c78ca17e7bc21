import Foundation
import Testing

/// The floors of Docs/architecture.md, checked against the manifest and against every import line.
@Suite struct FloorsTests {
    @Test("A module depends only on modules of the floors below it")
    func dependenciesGoDown() throws {
        let manifest = try House.manifest()
        for target in manifest.targets where target.path?.hasPrefix("Tests/") != true {
            let floor = try #require(
                House.floors[target.name],
                "\(target.name) has no floor: add it to Docs/architecture.md and to House.floors")
            for dependency in target.ours(in: manifest) {
                let below = try #require(House.floors[dependency])
                #expect(
                    below < floor,
                    "\(target.name) (floor \(floor)) imports \(dependency) (floor \(below)): imports go down only"
                )
            }
        }
    }

    @Test("Nothing the agent links reaches the hub or a package from elsewhere")
    func agentClosure() throws {
        let manifest = try House.manifest()
        var closure: Set<String> = []
        var queue = ["shelfcast-agent"]
        while let name = queue.popLast() {
            guard closure.insert(name).inserted else { continue }
            let target = try #require(manifest.targets.first { $0.name == name })
            #expect(
                target.elsewhere(in: manifest).isEmpty,
                "\(name) is linked by the agent, whose weight counts: no package from elsewhere")
            #expect(
                target.path?.hasPrefix("Hub/") != true,
                "\(name) runs on the hub only; the agent meets it on the wire")
            queue += target.ours(in: manifest)
        }
        #expect(closure.count > 5, "the walk found too little to mean anything: \(closure)")
    }

    @Test("The hub never links the agent")
    func hubClosure() throws {
        let manifest = try House.manifest()
        for target in manifest.targets where target.path?.hasPrefix("Hub/") == true {
            for dependency in target.ours(in: manifest) {
                let path = manifest.targets.first { $0.name == dependency }?.path ?? ""
                #expect(
                    !path.hasPrefix("Agent/"), "\(target.name) imports \(dependency) of the agent")
            }
        }
    }

    @Test("What a device runs imports nothing that Embedded Swift lacks or that is heavy")
    func deviceImports() throws {
        var read = 0
        for file in try House.swiftFiles(under: ["Sources", "Protocol", "Agent"]) {
            for module in try House.imports(of: file) {
                let reason = House.banned[module]
                #expect(reason == nil, "\(file) imports \(module): \(reason ?? "")")
            }
            read += 1
        }
        #expect(read > 10)
    }

    @Test("Every import of ours is declared in the manifest")
    func importsAreDeclared() throws {
        let manifest = try House.manifest()
        let names = Set(manifest.targets.map(\.name))
        for target in manifest.targets where target.type != "system" {
            guard let path = target.path else { continue }
            let declared = Set(target.ours(in: manifest)).union([target.name])
            for file in try House.swiftFiles(under: [path]) {
                for module in try House.imports(of: file) where names.contains(module) {
                    #expect(
                        declared.contains(module),
                        "\(file) imports \(module), which Package.swift does not list for \(target.name)"
                    )
                }
            }
        }
    }

    @Test("*Core modules hold no clock, socket, file or randomness")
    func coresAreInert() throws {
        let words = [
            "Date()", "ContinuousClock", "SystemRandomNumberGenerator", ".random(in", "FileManager",
            "FileHandle", "DispatchQueue", "clock_gettime", "getrandom",
        ]
        for file in try House.swiftFiles(under: [
            "Agent/AgentCore", "Hub/HubCore", "Hub/Watching", "Sources",
        ]) {
            let text = try String(contentsOfFile: House.root + "/" + file, encoding: .utf8)
            for word in words {
                #expect(
                    !text.contains(word), "\(file) uses \(word): events come in, actions go out")
            }
        }
    }
}
