import AgentRuntime

do throws(StoreError) {
    let store = try AgentStore.open(directory: "/tmp", checks: true)
    print("\(try store.unsentCount())")
} catch {
    print(error.text)
}
