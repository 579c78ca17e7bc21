"""Random messages of the sync protocol through the stock protobuf implementation.

    random_frames.py make SEED COUNT   prints COUNT lines `frame canonical`, both hex. `frame` has its fields
                                       shuffled, some twice, and unknown ones between; `canonical` is what the
                                       stock implementation understood, written again by it.
    random_frames.py echo              reads frames in hex, one a line, and prints what the stock implementation
                                       understood of each, written again by it.
"""
import random
import sys

import stock
from golden import VARINTS, type_name, varint

WIDTH = {"uint32": 32, "fixed32": 32, "uint64": 64, "int64": 64, "sint32": 32, "enum": 2}
IDENTIFIERS = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in ",\"'\\")
EXACT = {"hardware": 8, "digest": 32, "package_digest": 32, "secret": 16}


def number(rng, kind):
    bits = rng.randrange(WIDTH[kind] + 1)
    value = rng.getrandbits(bits) if bits else 0
    if kind == "enum":
        return rng.choice([value, 1, 77])
    if kind in ("sint32", "int64"):
        value = min(value, 2 ** (WIDTH[kind] - 1) - 1)
        return -value if rng.random() < 0.5 else value
    return value


def value_for(rng, message, field):
    """A value that SPEC.md 4.3 allows."""
    name, kind = field.name, type_name(field)
    if kind == "message":
        inner = getattr(stock.messages, field.message_type.name)()
        fill(rng, inner)
        return inner
    if name in ("item", "items", "named_items", "store", "device_id"):
        return "".join(rng.choice(IDENTIFIERS) for _ in range(rng.randint(1, 32)))
    if kind == "string":
        return "".join(rng.choice("aß語😀\n\0 =") for _ in range(rng.randrange(16)))
    if kind == "bytes":
        return rng.randbytes(EXACT.get(name) or rng.choice([1, 2, 127, 128, 129]))
    if kind == "bool":
        return rng.random() < 0.5
    if kind == "float":
        return rng.choice([0.0, 1.0, 0.1, rng.random(), 1e-42]) if name == "own_share" else rng.random() * 1e6
    if name == "day":
        return rng.randint(0, 84_005)
    if name == "units" and message.DESCRIPTOR.name == "SaleRecord":
        return rng.randint(1, 1_000_000)
    return number(rng, kind)


def fill(rng, message):
    name = message.DESCRIPTOR.name
    if name == "Record":
        field = rng.choice(message.DESCRIPTOR.fields)
        getattr(message, field.name).CopyFrom(value_for(rng, message, field))
        return
    must = {"JoinRequest", "JoinReply", "RenewRequest", "RenewReply", "Fetch", "Chunk", "RunningPackage",
            "SaleRecord", "ForecastRecord", "Upload", "DesiredState", "SalesOfDay", "ForecastsOfDay", "Metadata", "DeltaOffer"}
    for field in message.DESCRIPTOR.fields:
        if name not in must and rng.random() < 0.3:
            continue
        if field.is_repeated:
            values = [value_for(rng, message, field) for _ in range(rng.randrange(1, 12))]
            getattr(message, field.name).extend(values)
        elif type_name(field) == "message":
            if rng.random() < 0.5:
                getattr(message, field.name).CopyFrom(value_for(rng, message, field))
        else:
            setattr(message, field.name, value_for(rng, message, field))
    if name == "Hello":
        message.version_min, message.version_max = sorted(rng.randint(1, 9) for _ in range(2))
    elif name == "Welcome":
        message.version = rng.randint(1, 9)
    elif name == "Fetch":
        message.bytes_max = rng.randint(1, 2**32 - 1)
    elif name == "Metadata":
        message.role, message.version = message.role or "root", message.version or 1
    elif name == "Chunk":
        message.package_bytes = rng.randint(2**20, 2**40)
        message.offset = rng.randint(0, message.package_bytes - len(message.content))
    elif name == "DesiredState":
        message.desire = rng.choice([0, 1, 2, 3, 4, 77])
        message.target = message.target or "packages/1/00"
        message.trial_days = rng.randint(0, 28)
        message.window_from, message.window_to = rng.randrange(1_440), rng.randrange(1_440)
    elif name == "DeltaOffer":
        message.bytes = message.bytes or 1
    elif name == "PackageReport":
        message.outcome = rng.choice([1, 2, 3, 4, 5, 6, 44])
    elif name == "StoreDay":
        forms = ["sold", "units", "own_items"]
        kept = rng.choice(forms)
        for form in forms:
            if form != kept:
                message.ClearField(form)
        del message.item_gaps[len(message.units):]
        if len(message.item_gaps) != len(message.units):
            message.ClearField("item_gaps")
    elif name == "Upload":
        message.first_sequence = rng.randint(1, 2**63 - 1)
    elif name == "ForecastsOfDay":
        # As long as the shortest of them, and some left out.
        count = min(len(getattr(message, field.name)) for field in message.DESCRIPTOR.fields if field.is_repeated)
        for field in message.DESCRIPTOR.fields:
            if field.is_repeated:
                del getattr(message, field.name)[count:]
                if field.name in ("item_indexes", "actual_units", "level_units", "inputs_digest") and rng.random() < 0.3:
                    message.ClearField(field.name)
        if rng.random() < 0.5:
            message.candidate = message.candidate or 1
        else:
            message.ClearField("candidate")
            message.ClearField("candidate_units")
    elif name == "Context":
        if not message.items:
            message.items.append("1")
        for level in message.levels:
            level.item_index %= len(message.items)
        for day in message.days:
            for sold in day.sold:
                sold.item_index %= len(message.items)
    elif name == "CalendarOfStore":
        message.first_day, message.days = rng.randint(0, 80_000), rng.randint(1, 400)
        places = sorted(rng.sample(range(message.days * (len(message.items) + 1)), rng.randint(0, 1)))
        del message.entries[:]
        message.entries.extend(place << 4 | rng.randint(1, 15) for place in places)


def shuffled(rng, message):
    """The same message as another writer might put it, a later one of the same version perhaps."""
    parts = []
    for field in message.DESCRIPTOR.fields:
        only = type(message)()
        if field.is_repeated:
            getattr(only, field.name).extend(getattr(message, field.name))
        elif type_name(field) == "message":
            if not message.HasField(field.name):
                continue
            getattr(only, field.name).CopyFrom(getattr(message, field.name))
        else:
            setattr(only, field.name, getattr(message, field.name))
        part = only.SerializeToString()
        if part and type_name(field) in VARINTS and rng.random() < 0.3:
            # Said twice: the first does not count.
            part = varint(field.number << 3) + varint(rng.getrandbits(64)) + part
        parts.append(part)
    for _ in range(rng.randrange(3)):
        tag = rng.choice([900, 1_000, 2**29 - 1]) << 3
        parts.append(rng.choice([
            varint(tag) + varint(rng.getrandbits(64)), varint(tag | 1) + rng.randbytes(8),
            varint(tag | 5) + rng.randbytes(4), varint(tag | 2) + b"\x03" + rng.randbytes(3)]))
    rng.shuffle(parts)
    return b"".join(parts)


def make(seed, count):
    rng = random.Random(seed)
    kinds = sorted(stock.NAMES)
    for i in range(count):
        kind = kinds[i % len(kinds)]
        message = getattr(stock.messages, stock.NAMES[kind])()
        fill(rng, message)
        payload = shuffled(rng, message)
        understood = stock.parse(kind, payload)
        understood.DiscardUnknownFields()
        print(stock.raw_frame(kind, payload).hex(), stock.frame(understood).hex())


def echo():
    for line in sys.stdin:
        wire = bytes.fromhex(line)
        assert int.from_bytes(wire[:4], "big") == len(wire) - 5, line
        message = stock.parse(wire[4], wire[5:])
        message.DiscardUnknownFields()
        print(stock.frame(message).hex())


if __name__ == "__main__":
    make(int(sys.argv[2]), int(sys.argv[3])) if sys.argv[1] == "make" else echo()
