"""Writes Tests/SyncProtocolTests/Fixtures with the stock protobuf implementation.

    .venv/bin/python3 Tests/Stock/golden.py            # write
    .venv/bin/python3 Tests/Stock/golden.py --check    # fail when a committed file is not what would be written

frames.txt      name, frame in hex: what encoding must give byte for byte and decoding must read field for field
malformed.txt   kind, error, field, payload: one row for every way to spoil every field of every message
A payload is written in pieces of hex; `41*500` is the piece 41 five hundred times.
"""
import os
import sys

import stock
from stock import enums, messages as m

FIXTURES = os.path.join(stock.ROOT, "Tests", "SyncProtocolTests", "Fixtures")
DIGEST = bytes(range(32))
SECRET = bytes(range(0xF0, 0x100))
UINT32, UINT64 = 2**32 - 1, 2**64 - 1
INT64_MIN = -2**63


def golden():
    running = m.RunningPackage(digest=DIGEST, release=7, arena_bytes=1_872)
    long_text = "ä" * 512
    yield "hello", m.Hello(version_min=1, version_max=1, agent_version="0.1.0")
    yield "hello-wide", m.Hello(version_min=1, version_max=UINT32, agent_version=long_text)
    yield "welcome", m.Welcome(version=1, hub_time_ms=1_790_000_000_123, frame_bytes_max=65_536)
    yield "welcome-columns", m.Welcome(version=1, frame_bytes_max=65_536, takes_columns=True)
    yield "welcome-before-1970", m.Welcome(version=1, hub_time_ms=INT64_MIN)
    yield "refusal", m.Refusal(
        code=enums.REFUSAL_NOT_APPROVED, message="ask the operator: device approve d-1", retry=True,
        retry_after_seconds=60)
    yield "refusal-empty", m.Refusal()
    refusal = m.Refusal()
    refusal.code = 99  # a later version's
    yield "refusal-later-code", refusal
    refusal = m.Refusal()
    refusal.code = -1
    yield "refusal-negative-code", refusal
    yield "join-request", m.JoinRequest(secret=SECRET, csr_der=b"\x30\x03\x02\x01\x00")
    yield "join-reply", m.JoinReply(
        device_id="d-0001", certificate_der=b"\x30\x01", ca_der=b"\x30\x02",
        store="12", approved=True, time_zone="Europe/Berlin", root=b"{}")
    yield "register", m.Register(
        architecture="aarch64", cpu_features=["neon", "dotprod"], cores=4,
        memory_total_bytes=536_870_912, memory_available_bytes=268_435_456,
        model_memory_budget_bytes=4_096, model_memory_budget_set_by_operator=True,
        flash_free_bytes=1 << 40, runtime_features=["lstm-int8-v2"], int8_microseconds=85,
        power_source=enums.POWER_BATTERY, contact=enums.CONTACT_VISIT, agent_version="0.1.0",
        running=running, labels=["aisle=3", "pilot=yes", ""])
    yield "register-measured", m.Register(
        architecture="aarch64", measured=m.Measurement(
            kernels="neon-dot", small_nanoseconds=3_200, small_batch_nanoseconds=3_100,
            large_nanoseconds=21_400, large_batch_nanoseconds=20_000, package_digest=DIGEST,
            package_nanoseconds=5_150, package_batch_nanoseconds=5_000, arena_bytes=1_872,
            peak_memory_bytes=5_662_310, package_nanojoules=9_800))
    yield "register-measured-nothing", m.Register(measured=m.Measurement())
    yield "register-battery", m.Register(
        battery_percent=100, temperature_kelvin=268, contact_number=1 << 40, hardware=bytes(range(1, 9)))
    yield "register-empty", m.Register()
    yield "register-held", m.Register(held=m.HeldMetadata(
        root=3, timestamp=UINT64, snapshot=128, targets=1, wants_timestamp=True))
    yield "register-held-nothing", m.Register(held=m.HeldMetadata())
    yield "register-most", m.Register(
        cores=UINT32, memory_total_bytes=UINT64, memory_available_bytes=UINT64,
        model_memory_budget_bytes=UINT64, flash_free_bytes=UINT64, int8_microseconds=UINT32,
        power_source=enums.POWER_MAINS, contact=enums.CONTACT_STAY,
        running=m.RunningPackage(digest=DIGEST, release=UINT64, arena_bytes=UINT64))
    target = "packages/7/0001020304050607"
    yield "desired-state-run", m.DesiredState(
        desire=enums.DESIRE_RUN, digest=DIGEST, target=target,
        reason="most accurate that fits 4096 bytes", rollout=3, stored_through_sequence=1_200)
    yield "desired-state-no-fit", m.DesiredState(
        desire=enums.DESIRE_NO_FIT, reason="smallest arena 900 bytes, budget 512", rollout=UINT64,
        stored_through_sequence=UINT64)
    yield "desired-state-stay", m.DesiredState(desire=enums.DESIRE_STAY_AS_YOU_ARE)
    yield "desired-state-number", m.DesiredState(desire=enums.DESIRE_STAY_AS_YOU_ARE, contact_number=UINT64)
    yield "desired-state-trial", m.DesiredState(
        desire=enums.DESIRE_RUN, digest=DIGEST, target=target, trial_days=28,
        latency_max_ns=2_000_000, bytes_max=1 << 33, window_from=1_320, window_to=330)
    yield "desired-state-target", m.DesiredState(
        desire=enums.DESIRE_RUN, digest=DIGEST, target="~" * 256)
    yield "metadata", m.Metadata(role="root", version=1, content=b"{}")
    yield "metadata-most", m.Metadata(role="r" * 64, version=UINT64, content=bytes(49_152))
    yield "desired-state-go-back", m.DesiredState(
        desire=enums.DESIRE_GO_BACK, reason="its error grew in this store", rollout=4, digest=DIGEST)
    yield "desired-state-delta", m.DesiredState(
        desire=enums.DESIRE_RUN, digest=DIGEST, target=target,
        delta=m.DeltaOffer(digest=DIGEST, bytes=131, base=UINT64), metered_bytes_max=1 << 33)
    yield "fetch", m.Fetch(digest=DIGEST, offset=4_096, bytes_max=32_768)
    yield "fetch-first", m.Fetch(digest=DIGEST, bytes_max=1)
    yield "chunk", m.Chunk(
        digest=DIGEST, offset=127, content=bytes(i % 251 for i in range(200)), package_bytes=5_321)
    yield "chunk-end", m.Chunk(digest=DIGEST, offset=5_321, package_bytes=5_321)
    yield "package-report-active", m.PackageReport(
        digest=DIGEST, outcome=enums.OUTCOME_ACTIVE, arena_bytes=1_872, running=running)
    yield "package-report-refused", m.PackageReport(
        outcome=enums.OUTCOME_REFUSED, reason="the package's SHA-256 is not the one that was signed")
    yield "package-report-rolled-back", m.PackageReport(
        digest=DIGEST, outcome=enums.OUTCOME_ROLLED_BACK, running=running)
    yield "package-report-trial", m.PackageReport(
        digest=DIGEST, outcome=enums.OUTCOME_TRIAL, running=running)
    yield "package-report-untrusted", m.PackageReport(
        digest=DIGEST, outcome=enums.OUTCOME_UNTRUSTED, reason="timestamp: expired")
    yield "package-report-fetching", m.PackageReport(
        digest=DIGEST, outcome=enums.OUTCOME_FETCHING, reason="it waits", running=running)
    yield "noted", m.Noted()
    sale = m.Record(sale=m.SaleRecord(day=20_778, item="10", units=3))
    yield "upload", m.Upload(first_sequence=1, records=[
        sale,
        m.Record(close=m.CloseRecord(day=20_778, closed_all_day=True)),
        m.Record(close=m.CloseRecord()),
        m.Record(forecast=m.ForecastRecord(
            day=20_778, item="10", forecast_units=12.625, network_output=-4_711, release=7,
            actual_units=13, inputs_complete=True)),
        m.Record(forecast=m.ForecastRecord(
            day=20_778, item="11", forecast_units=0.5, network_output=12, release=7,
            inputs_complete=True, level_units=10.25, inputs_digest=0xDEAD_BEEF)),
        m.Record(forecast=m.ForecastRecord(item="x", network_output=-2**31)),
        m.Record(forecast=m.ForecastRecord(
            day=20_779, item="x", forecast_units=3.5, candidate=0xFEDC_BA98_7654_3210, candidate_units=4.25)),
    ])
    yield "upload-most", m.Upload(first_sequence=2**63 - 1, records=[
        m.Record(sale=m.SaleRecord(day=84_005, item="~" * 32, units=1_000_000)),
        m.Record(forecast=m.ForecastRecord(
            day=84_005, item="~" * 32, forecast_units=3.4028234663852886e38, network_output=2**31 - 1,
            release=UINT64, actual_units=UINT32, inputs_complete=True,
            level_units=3.4028234663852886e38, inputs_digest=UINT32)),
    ])
    yield "upload-500", m.Upload(first_sequence=300, records=[sale] * 500)
    yield "upload-columns", m.Upload(
        first_sequence=2**35, items=["1", "2", "~" * 32], folded_sales=300, records=[
            m.Record(sales=m.SalesOfDay(day=20_778, sold=[0, 5, 300, 2_999_999])),
            m.Record(forecasts=m.ForecastsOfDay(
                day=20_778, release=7, inputs_complete=True, item_indexes=[2, 0],
                forecast_units=[12.625, 0.0], network_output=[-4_711, 2**31 - 1], actual_units=[13, UINT32],
                level_units=[10.25, 0.5], inputs_digest=[0xDEAD_BEEF, 1])),
            m.Record(forecasts=m.ForecastsOfDay(forecast_units=[1.0], network_output=[0], actual_units=[0])),
            m.Record(forecasts=m.ForecastsOfDay(
                day=20_779, forecast_units=[1.0, 2.0], network_output=[0, 1], actual_units=[0, 1],
                candidate=1, candidate_units=[0.0, 2.5])),
            m.Record(forecasts=m.ForecastsOfDay(forecast_units=[1.0], network_output=[0])),
            m.Record(close=m.CloseRecord(day=20_778)),
        ])
    yield "upload-ack", m.UploadAck(through_sequence=4_294_967_296)
    yield "upload-ack-none", m.UploadAck()
    yield "context-request", m.ContextRequest(known_revision=128)
    yield "context-request-all", m.ContextRequest()
    yield "context-request-columns", m.ContextRequest(known_revision=7, takes_columns=True, in_full=True)
    yield "context-request-calendar", m.ContextRequest(
        known_revision=7, takes_columns=True, takes_calendar=True, calendar_digest=0xDEAD_BEEF)
    yield "context", m.Context(
        revision=129, items=["1", "2", "10"],
        days=[
            m.StoreDay(day=20_777, final=True, sold=[
                m.ItemDay(item_index=0, units=14), m.ItemDay(item_index=2, units=300)]),
            m.StoreDay(day=20_778, closed_all_day=True),
            m.StoreDay(),
        ],
        levels=[m.ItemLevel(item_index=1, level_units=0.1, day=20_778), m.ItemLevel(level_units=-0.0)],
        own_share=0.25, more=True)
    yield "context-columns", m.Context(
        revision=130,
        days=[
            m.StoreDay(day=20_777, units=[14, 300, 1], item_gaps=[0, 1, 200]),
            m.StoreDay(day=20_778, final=True, units=[1, UINT32]),
            m.StoreDay(day=20_779, final=True, own_items=50, own_digest=0xDEAD_BEEF),
            m.StoreDay(day=20_780, closed_all_day=True, final=True),
        ],
        own_share=1.0, named_items=["1", "~" * 32])
    yield "context-empty", m.Context()
    # Closed for all on day 20,700, out of stock of "1" on 20,703, on promotion on 20,704 and 20,705.
    yield "context-calendar", m.Context(
        revision=131, calendar=m.CalendarOfStore(
            digest=1, first_day=20_699, days=200, items=["1"],
            entries=[1 << 4 | 1, 202 << 4 | 2, 8, 8]))
    yield "context-no-calendar-any-more", m.Context(revision=132, calendar=m.CalendarOfStore())
    # Inner messages whose length takes two bytes and three.
    items = [str(i) for i in range(2_800)]
    yield "context-200-items", m.Context(revision=1, items=items[:200], days=[
        m.StoreDay(day=1, sold=[m.ItemDay(item_index=i, units=i) for i in range(200)])])
    yield "context-2800-items", m.Context(revision=1, items=items, days=[
        m.StoreDay(day=1, sold=[m.ItemDay(item_index=i, units=1) for i in range(2_800)])])
    yield "renew-request", m.RenewRequest(csr_der=b"\x30\x00")
    yield "renew-reply", m.RenewReply(certificate_der=bytes(4_096))
    yield "ping", m.Ping()
    yield "pong", m.Pong()
    yield "goodbye", m.Goodbye()
    yield "farewell", m.Farewell(next_contact_seconds=86_400)
    yield "farewell-now", m.Farewell()
    yield "context-notice", m.ContextNotice(revision=130)


# SPEC.md 4.2, in the schema's words.
BYTES_MAX = {
    "message": 1_024, "reason": 1_024, "agent_version": 1_024, "store": 32, "item": 32, "items": 32,
    "device_id": 32, "architecture": 64, "cpu_features": 64, "runtime_features": 64, "family": 64,
    "variant": 64, "time_zone": 64, "labels": 128, "csr_der": 2_048,
    "certificate_der": 4_096, "ca_der": 4_096, "content": 49_152, "digest": 32, "secret": 16,
    "role": 64, "root": 32_768, "target": 256, "kernels": 64, "package_digest": 32, "hardware": 32, "named_items": 32}
COUNT_MAX = {
    "cpu_features": 64, "runtime_features": 64, "labels": 64, "records": 500, "days": 400,
    "Context.items": 4_096, "levels": 4_096, "StoreDay.sold": 4_096, "Upload.items": 500, "SalesOfDay.sold": 500,
    "item_indexes": 500, "forecast_units": 500, "network_output": 500, "actual_units": 500,
    "level_units": 500, "inputs_digest": 500, "candidate_units": 500, "StoreDay.units": 4_096, "item_gaps": 4_096,
    "named_items": 4_096, "CalendarOfStore.items": 2_048, "CalendarOfStore.entries": 2_048}
VARINTS = ("uint32", "uint64", "int64", "sint32", "bool", "enum")


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def type_name(field):
    return {3: "int64", 4: "uint64", 7: "fixed32", 8: "bool", 13: "uint32", 14: "enum", 17: "sint32", 2: "float",
            9: "string", 11: "message", 12: "bytes"}[field.type]


def spoil(descriptor):
    """(error, field, pieces) for every way to spoil a field of this message, and of those inside it."""
    for field in descriptor.fields:
        kind, number = type_name(field), field.number
        tag = {wire: varint(number << 3 | wire).hex() for wire in range(8)}
        right = 0 if kind in VARINTS else 5 if kind in ("float", "fixed32") else 2
        if field.is_repeated and right != 2:
            yield from spoil_list(descriptor, field, tag, right)
            continue
        for wire, value in ((0, "00"), (1, "00*8"), (2, "00"), (5, "00*4")):
            if wire != right:
                yield f"wrong-type-{wire}", number, [tag[wire], value]
        for wire in (3, 4, 6, 7):
            yield f"no-type-{wire}", number, [tag[wire]]
        if right == 0:
            yield "truncated", number, [tag[0]]
            yield "truncated", number, [tag[0], "ff*9"]
            yield "varint-too-long", number, [tag[0], "ff*9", "02"]
            yield "varint-too-long", number, [tag[0], "80*10", "01"]
        elif right == 5:
            yield "truncated", number, [tag[5], "00*3"]
        else:
            yield "truncated", number, [tag[2]]
            yield "truncated", number, [tag[2], "02", "41"]
            yield "truncated", number, [tag[2], "ff*9", "01"]
        if kind in ("string", "bytes"):
            longest = BYTES_MAX[field.name]
            yield "too-long", number, [tag[2], varint(longest + 1).hex(), f"41*{longest + 1}"]
        if kind == "string":
            for text in ("ff", "c3", "eda080", "c080", "f4908080"):
                yield "not-utf8", number, [tag[2], varint(len(text) // 2).hex(), text]
        if field.is_repeated:
            most = COUNT_MAX.get(f"{descriptor.name}.{field.name}") or COUNT_MAX[field.name]
            yield "too-many", number, [tag[2] + f"00*{most + 1}"]
        if kind == "message":
            for error, inner, pieces in spoil(field.message_type):
                yield error, inner, [tag[2], varint(length(pieces)).hex(), *pieces]
    yield "no-field", 0, ["0000"]
    yield "no-field", 0, ["808080808001"]


def spoil_list(descriptor, field, tag, right):
    """The same of a list of numbers, which may come packed or one by one."""
    number = field.number
    most = COUNT_MAX.get(f"{descriptor.name}.{field.name}") or COUNT_MAX[field.name]
    for wire, value in ((0, "00"), (1, "00*8"), (5, "00*4")):
        if wire != right:
            yield f"wrong-type-{wire}", number, [tag[wire], value]
    for wire in (3, 4, 6, 7):
        yield f"no-type-{wire}", number, [tag[wire]]
    yield "truncated", number, [tag[right]]
    yield "truncated", number, [tag[2], "02", "00"]
    one = 1 if right == 0 else 4
    yield "too-many", number, [tag[2], varint((most + 1) * one).hex(), f"00*{(most + 1) * one}"]
    yield "too-many", number, [tag[right] + f"{'00' * one}*{most + 1}"]
    if right == 0:
        yield "truncated", number, [tag[2], "01", "ff"]
        yield "varint-too-long", number, [tag[2], "0a", "ff*9", "02"]
    else:
        yield "truncated", number, [tag[2], "03", "00*3"]


def length(pieces):
    return len(expand(pieces))


def expand(pieces):
    out = bytearray()
    for piece in pieces:
        text, _, times = piece.partition("*")
        out += bytes.fromhex(text) * int(times or 1)
    return bytes(out)


def main():
    files = {"frames.txt": "", "malformed.txt": ""}
    for name, message in golden():
        files["frames.txt"] += f"{name} {stock.frame(message).hex()}\n"
    for name, kind in stock.KINDS.items():
        for error, field, pieces in spoil(getattr(stock.messages, name).DESCRIPTOR):
            files["malformed.txt"] += f"{kind} {error} {field} {' '.join(pieces)}\n"
    stale = []
    for name, text in files.items():
        path = os.path.join(FIXTURES, name)
        if "--check" in sys.argv:
            with open(path) as file:
                if file.read() != text:
                    stale.append(name)
        else:
            with open(path, "w") as file:
                file.write(text)
    if stale:
        sys.exit("not what golden.py writes: " + ", ".join(stale))


if __name__ == "__main__":
    main()
