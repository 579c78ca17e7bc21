"""The sync protocol as the stock protobuf implementation sees it: from Protocol/sync.proto alone.

`messages.Hello` and so on are classes made by the stock runtime; a frame's kind is the number in front
of its message's comment in the schema, as SPEC.md 3.1 says.
"""
import os
import re
import sys
import tempfile
import types

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCHEMA = os.path.join(ROOT, "Protocol", "sync.proto")


def _compile():
    with tempfile.TemporaryDirectory() as folder:
        compiled = os.path.join(folder, "sync.bin")
        failed = protoc.main([
            "protoc", "-I" + os.path.dirname(SCHEMA), "--include_source_info",
            "--descriptor_set_out=" + compiled, SCHEMA])
        if failed:
            sys.exit("the stock compiler refuses Protocol/sync.proto")
        with open(compiled, "rb") as file:
            return descriptor_pb2.FileDescriptorSet.FromString(file.read()).file[0]


_file = _compile()
_pool = descriptor_pool.DescriptorPool()
_pool.Add(_file)
messages = types.SimpleNamespace(**{
    message.name: message_factory.GetMessageClass(
        _pool.FindMessageTypeByName(_file.package + "." + message.name))
    for message in _file.message_type})
#: name of an enumeration's value -> its number
enums = types.SimpleNamespace(**{
    value.name: value.number for enum in _file.enum_type for value in enum.value})

KINDS = {}
for _location in _file.source_code_info.location:
    _number = re.match(r"\s*(\d+)\b", _location.leading_comments)
    if len(_location.path) == 2 and _location.path[0] == 4 and _number:
        KINDS[_file.message_type[_location.path[1]].name] = int(_number.group(1))
NAMES = {kind: name for name, kind in KINDS.items()}


def frame(message):
    """The wire form of one message."""
    payload = message.SerializeToString(deterministic=True)
    return raw_frame(KINDS[message.DESCRIPTOR.name], payload)


def raw_frame(kind, payload):
    return len(payload).to_bytes(4, "big") + bytes([kind]) + payload


def parse(kind, payload):
    return getattr(messages, NAMES[kind]).FromString(payload)
