import Forecasting
import HubCore
import NIOCore
import NIOEmbedded
import Testing

@testable import HubSync

@Suite("Who is told to look")
struct ConnectedDevicesTests {
    /// Counts the looks that reach a connection.
    private final class Looks: ChannelInboundHandler {
        typealias InboundIn = Never
        var count = 0

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case ConnectionSignal.look = event { count += 1 }
        }
    }

    private struct Line {
        let connected = ConnectedDevices(connectionsMax: 2)
        let looks = Looks()
        let channel: EmbeddedChannel
        let device: DeviceID
        let store: StoreID

        init() throws {
            channel = EmbeddedChannel(handler: looks)
            device = try DeviceID("d-1")
            store = try StoreID("1")
        }

        func come() -> Bool { connected.enter(channel) }

        func register() {
            connected.expect(device, of: store, on: channel)
            _ = connected.seat(device, on: channel)
        }
    }

    @Test("A device that is registered is told once for each change")
    func registered() throws {
        let line = try Line()
        #expect(line.come())
        line.register()
        for _ in 0..<3 { line.connected.look { _, _ in true } }
        line.connected.sendLooks(countMax: 9)
        line.connected.sendLooks(countMax: 9)
        #expect(line.looks.count == 1)
    }

    @Test("A connection whose identity somebody who left had stands in no line of theirs")
    func identityUsedAgain() throws {
        let line = try Line()
        #expect(line.come())
        line.register()
        line.connected.look { _, _ in true }
        // It leaves before its turn, and another connection comes to lie where it lay.
        line.connected.leave(line.channel)
        #expect(line.come())
        line.connected.sendLooks(countMax: 9)
        #expect(line.looks.count == 0)
        // What the new one is to look at is not lost either.
        line.register()
        line.connected.look { _, _ in true }
        line.connected.sendLooks(countMax: 9)
        #expect(line.looks.count == 1)
    }

    @Test("Before its handshake a connection hears of no change, and of the hub's end it is closed")
    func beforeHandshake() throws {
        let channel = EmbeddedChannel(handler: FrameHandler(limits: HubServerLimits()) {})
        channel.pipeline.fireUserInboundEventTriggered(ConnectionSignal.look)
        #expect(try channel.readInbound(as: ConnectionInput.self) == nil)
        channel.pipeline.fireUserInboundEventTriggered(
            ConnectionSignal.stop(retryAfterSeconds: 5))
        #expect(try channel.readInbound(as: ConnectionInput.self) == nil)
        #expect(!channel.isActive)
        channel.embeddedEventLoop.run()
    }
}
