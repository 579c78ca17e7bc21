import ArgumentParser
import Foundation
import HubCore
import HubStore
import ModelExchange
import Training

struct ModelExportCommand: HubCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a variant's network to an ONNX file.",
        discussion: """
            The float network, with what its window and output mean in the file's description. Levels,
            scales and profiles belong to the series and are not in it. 'model import' takes it back.

            Example:
              shelfcast-hub model export spring --variant profile-8 --output spring.onnx
            """)

    @Argument(help: "The family, as 'train' has named it.")
    var family: String
    @Option(help: "The variant (default: the only one).")
    var variant: String?
    @Option(help: ArgumentHelp("The file to write.", valueName: "file"))
    var output: String
    @OptionGroup var data: DataOptions

    func perform() async throws {
        let store = try data.openStore()
        guard let record = try await store.family(family) else {
            throw HubStoreError.notFound(what: "family \(family)")
        }
        let trained = try TrainedFamily(encoded: Data(record.trained))
        let names = trained.variants.map(\.name)
        guard let name = variant ?? (names.count == 1 ? names.first : nil) else {
            throw CommandFailure(
                .refused, "say which with --variant: " + names.joined(separator: ", "))
        }
        guard let chosen = trained.variants.first(where: { $0.name == name }) else {
            throw CommandFailure(
                .refused,
                "family \(family) has no variant \(name); it has " + names.joined(separator: ", "))
        }
        let bytes = NetworkExport.model(
            chosen.parameters, spec: trained.spec, family: family, variant: name
        ).encoded()
        do {
            // Written beside its place and renamed: an interrupted run leaves no half file.
            try Data(bytes).write(to: URL(filePath: output), options: .atomic)
        } catch {
            throw CommandFailure(.failed, "cannot write \(output): \(fileProblem(error))")
        }
        if chosen.integer != nil {
            Console.error(
                "shelfcast-hub: \(name) runs on integers of its own; the file has the float weights "
                    + "they stand for")
        }
        Console.print("wrote \(family)/\(name), \(bytes.count) bytes, to \(output)")
    }
}
