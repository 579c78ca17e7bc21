import HubCore
import HubStore
import Testing

@Suite("Writes that come at the same moment")
struct WriteGroupTests {
    @Test(
        "Each is whole or not there at all, whatever becomes of those it shares a transaction with",
        arguments: StoreUnderTest.allCases)
    func eachForItself(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            try await store.saveFamily(Sample.family("f"))
            let outcomes = try await withThrowingTaskGroup(of: (UInt8, Bool).self) { group in
                for seed in UInt8(0)..<200 {
                    group.addTask {
                        var packages = [
                            try Sample.package("v", family: "f", release: 1, seed: seed)
                        ]
                        // Refused after the first one was written: there is no such family.
                        if seed % 2 == 1 {
                            packages.append(
                                try Sample.package("v", family: "g", release: 1, seed: 255))
                        }
                        do {
                            try await store.savePackages(packages)
                            return (seed, true)
                        } catch is HubStoreError {
                            return (seed, false)
                        }
                    }
                }
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            #expect(
                outcomes.filter { $0.value }.keys.sorted() == Array(stride(from: 0, to: 200, by: 2))
            )
            let kept = try await store.packages(family: nil).map { $0.digest[0] }.sorted()
            #expect(kept == Array(stride(from: 0, to: 200, by: 2)))
        }
    }

    @Test("What a write answered is there when it returns", arguments: StoreUnderTest.allCases)
    func afterTheCommit(implementation: StoreUnderTest) async throws {
        try await implementation.run { store in
            try await store.saveFamily(Sample.family("f"))
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for seed in UInt8(0)..<100 {
                    group.addTask {
                        let package = try Sample.package("v", family: "f", release: 1, seed: seed)
                        try await store.savePackages([package])
                        return try await store.package(digest: package.digest) == package
                    }
                }
                for try await isThere in group { #expect(isThere) }
            }
        }
    }
}
