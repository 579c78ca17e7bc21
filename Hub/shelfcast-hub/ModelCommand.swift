import ArgumentParser

struct ModelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Take networks from ONNX files, and write them to some.",
        subcommands: [ModelImportCommand.self, ModelExportCommand.self])
}
