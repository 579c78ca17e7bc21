import AgentRuntime

print("shelfcast-agent")
