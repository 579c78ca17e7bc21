import ArgumentParser

struct ModelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract:
            "Take networks from ONNX files, write them to some, and show where models come from.",
        subcommands: [
            ModelImportCommand.self, ModelExportCommand.self, ModelLineageCommand.self,
        ])
}
