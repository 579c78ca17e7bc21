#!/usr/bin/env python3
"""Attacks on update metadata, against the client in Sources/UpdateTrust.

Each case makes a repository with the reference implementation of The Update Framework (PyPI `tuf`), serves it over HTTP on this machine, lets
shelfcast-tuf-client work on it and looks at what it asked for, what it keeps and what it downloaded. The command line is that of the public conformance
suite, whose ground these cases cover.

    conformance.py path/to/shelfcast-tuf-client [--only WORD]

Prints a table, one line a case, and at the end how many passed and failed. Exit code 0 when none failed. Needs `tuf` and the program faketime.
"""
import argparse
import copy
import datetime
import hashlib
import http.server
import inspect
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.parse

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    TOP_LEVEL_ROLE_NAMES,
    DelegatedRole,
    Delegations,
    Key,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)

TOP = ("root", "timestamp", "snapshot", "targets")
CHAIN = ("targets", "snapshot", "timestamp")


def in_days(days):
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=days)


class Repository:
    """All versions of all roles as published, served over HTTP, and a note of who asked for what."""

    def __init__(self):
        self.metadata = {
            "root": Metadata(Root(expires=in_days(30))),
            "timestamp": Metadata(Timestamp(expires=in_days(30))),
            "snapshot": Metadata(Snapshot(expires=in_days(30))),
            "targets": Metadata(Targets(expires=in_days(30))),
        }
        self.signers = {}
        self.published = {}
        self.contents = {}
        self.has_digests = False
        self.asked = []
        self.answers = {}
        for role in TOP:
            self.add_key(role)
        self.publish(*CHAIN, "root")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        # A client that has had enough hangs up.
        self.server.handle_error = lambda request, address: None
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # What it holds

    def signed(self, role):
        return self.metadata[role].signed

    @property
    def root(self):
        return self.signed("root")

    @property
    def snapshot(self):
        return self.signed("snapshot")

    @property
    def timestamp(self):
        return self.signed("timestamp")

    @property
    def targets(self):
        return self.signed("targets")

    def add_key(self, role, signer=None, delegator=None):
        signer = signer or CryptoSigner.generate_ecdsa()
        self.signed(delegator or "root").add_key(signer.public_key, role)
        self.signers.setdefault(role, {})[signer.public_key.keyid] = signer
        return signer

    def replace_keys(self, role):
        self.root.roles[role].keyids.clear()
        self.signers[role].clear()
        self.add_key(role)

    def publish(self, *roles):
        """Signs each role and puts it out as its next version, or as its first."""
        for role in roles:
            if role in self.published:
                self.signed(role).version += 1
            self.put_out(role)

    def put_out(self, role):
        """Signs a role as it is, and announces it where it has to be announced."""
        metadata = self.metadata[role]
        metadata.signatures.clear()
        for signer in self.signers[role].values():
            metadata.sign(signer, append=True)
        data = metadata.to_bytes()
        self.published.setdefault(role, {})[metadata.signed.version] = data
        self.published[role][None] = data
        announced = MetaFile(metadata.signed.version)
        if self.has_digests:
            announced = MetaFile.from_data(metadata.signed.version, data, ["sha256", "sha512"])
        if role == "snapshot":
            self.timestamp.snapshot_meta = announced
        elif role not in ("root", "timestamp"):
            self.snapshot.meta[f"{role}.json"] = announced

    def delegate(self, delegator, name, paths=("*",), terminating=False, prefixes=None):
        if name not in self.metadata:
            self.metadata[name] = Metadata(Targets(expires=in_days(30)))
        signed = self.signed(delegator)
        if signed.delegations is None:
            signed.delegations = Delegations({}, {})
        paths = None if prefixes else list(paths)
        signed.delegations.roles[name] = DelegatedRole(name, [], 1, terminating, paths, prefixes)
        if name in self.signers:
            for signer in self.signers[name].values():
                signed.add_key(signer.public_key, name)
        else:
            self.add_key(name, delegator=delegator)

    def add_file(self, role, path, content, algorithms=("sha256",)):
        self.signed(role).targets[path] = TargetFile.from_data(path, content, list(algorithms))
        self.contents[path] = content

    # What it serves

    def handler(repository):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answer = repository.answers.get(self.path)
                if answer is not None:
                    answer(self)
                    return
                data = repository.answer(self.path)
                if data is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        return Handler

    def answer(self, path):
        folder, _, name = path.lstrip("/").partition("/")
        self.asked.append(name)
        if folder == "metadata" and name.endswith(".json"):
            name = name.removesuffix(".json")
            version, dot, role = name.partition(".")
            if dot and version.isdigit():
                return self.published.get(urllib.parse.unquote(role), {}).get(int(version))
            if self.root.consistent_snapshot and name != "timestamp":
                return None
            return self.published.get(urllib.parse.unquote(name), {}).get(None)
        if folder == "targets":
            name = urllib.parse.unquote(name)
            parts, slash, last = name.rpartition("/")
            if self.root.consistent_snapshot:
                digest, _, last = last.partition(".")
                content = self.contents.get(parts + slash + last)
                known = any(
                    digest in metadata.signed.targets[parts + slash + last].hashes.values()
                    for metadata in self.metadata.values()
                    if isinstance(metadata.signed, Targets) and parts + slash + last in metadata.signed.targets
                )
                return content if known else None
            return self.contents.get(name)
        return None


class Client:
    def __init__(self, program, repository, folder):
        self.program, self.repository = program, repository
        self.metadata = folder / "metadata"
        self.targets = folder / "targets"
        self.first = folder / "root.json"
        self.metadata.mkdir()
        self.targets.mkdir()
        self.complaint = ""

    def run(self, *arguments, days=0):
        later = ["faketime", "-f", f"+{days}d"] if days else []
        done = subprocess.run(
            [*later, self.program, "--metadata-dir", self.metadata, *arguments], capture_output=True, text=True, timeout=120
        )
        self.complaint = done.stderr.strip()
        assert done.returncode in (0, 1), f"exit code {done.returncode}: {self.complaint}"
        assert (done.returncode == 1) == bool(self.complaint), f"exit code {done.returncode} and '{self.complaint}'"
        return done.returncode == 0

    def init(self, root=None):
        self.first.write_bytes(root or self.repository.published["root"][1])
        return self.run("init", self.first)

    def refresh(self, days=0):
        self.repository.asked.clear()
        return self.run("--metadata-url", self.repository.url + "/metadata", "refresh", days=days)

    def download(self, *names, days=0):
        self.repository.asked.clear()
        wanted = [word for name in names for word in ("--target-name", name)]
        return self.run(
            "--metadata-url", self.repository.url + "/metadata/", *wanted, "--target-base-url", self.repository.url + "/targets",
            "--target-dir", self.targets, "download", days=days,
        )

    def version(self, role):
        path = self.metadata / (urllib.parse.quote(role, "") + ".json")
        return json.loads(path.read_bytes())["signed"]["version"] if path.exists() else None

    def trusted(self):
        """Versions of root, timestamp, snapshot, targets; and no other file is there."""
        known = tuple(self.version(role) for role in TOP)
        files = {path.name for path in self.metadata.iterdir()}
        expected = {f"{role}.json" for role, version in zip(TOP, known) if version is not None}
        assert files == expected, f"kept: {sorted(files)}"
        return known

    def contents(self):
        return {urllib.parse.unquote(path.name): path.read_bytes() for path in self.targets.iterdir()}


CASES = []


def case(title, *rows):
    """A case for each row, its values filling the title and the function's arguments."""

    def note(function):
        for row in rows or [()]:
            row = row if isinstance(row, tuple) else (row,)
            CASES.append((title.format(*row), function, row))
        return function

    return note


def expect(found, wanted, what):
    assert found == wanted, f"{what}: {found!r} instead of {wanted!r}"


def refused(done, client, *words):
    assert not done, "taken, though it should be refused"
    for word in words:
        assert word in client.complaint, f"refused for another reason: {client.complaint}"


# The ordinary way

@case("first update: asks in order, keeps four roles")
def first_update(repository, client):
    assert client.init() and client.refresh(), client.complaint
    expect(repository.asked, ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"], "asked")
    expect(client.trusted(), (1, 1, 1, 1), "trusted")


@case("second update: asks only what may be new")
def second_update(repository, client):
    assert client.init() and client.refresh() and client.refresh(), client.complaint
    expect(repository.asked, ["2.root.json", "timestamp.json"], "asked")


@case("download updates first; an unknown target fails")
def implicit(repository, client):
    client.init()
    refused(client.download("nobody has this"), client, "no target")
    expect(repository.asked, ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"], "asked")
    expect(client.trusted(), (1, 1, 1, 1), "trusted")


@case("no update before init")
def no_init(repository, client):
    refused(client.refresh(), client, "root.json")
    expect(repository.asked, [], "asked")


@case("without consistent snapshots: plain names")
def inconsistent(repository, client):
    repository.root.consistent_snapshot = False
    repository.publish("root")
    repository.add_file("targets", "folder/file", b"content")
    repository.publish(*CHAIN)
    client.init()
    assert client.download("folder/file"), client.complaint
    expect(repository.asked[2:], ["timestamp.json", "snapshot.json", "targets.json", "folder/file"], "asked")
    expect(client.contents(), {"folder/file": b"content"}, "downloaded")


@case("metadata is kept byte for byte")
def bytes_kept(repository, client):
    repository.published["timestamp"][None] += b" \n"
    client.init()
    assert client.refresh(), client.complaint
    expect((client.metadata / "timestamp.json").read_bytes(), repository.published["timestamp"][None], "kept")


@case("fields that nobody knows stay signed", *TOP)
def unknown_fields(repository, client, role):
    client.init()
    repository.signed(role).unrecognized_fields["x-field"] = {"b": [1, None, True], "a": "ü\"\\\n\u0001😀"}
    repository.publish(*CHAIN, "root")
    assert client.refresh(), client.complaint
    expect(client.trusted(), (2, 2, 2, 2), "trusted")


@case("a key and a role with fields that nobody knows")
def unknown_key_fields(repository, client):
    client.init()
    signer = CryptoSigner.generate_ecdsa()
    signer.public_key.unrecognized_fields["x-owner"] = {"name": "nobody"}
    signer.public_key.unrecognized_fields["keyid_hash_algorithms"] = "md5"
    signer.public_key.keyid = hashlib.sha256(encode_canonical(signer.public_key.to_dict()).encode()).hexdigest()
    repository.add_key("snapshot", signer)
    repository.root.roles["snapshot"].unrecognized_fields["x-more"] = "value"
    repository.root.roles["snapshot"].threshold = 2
    repository.publish("root", *CHAIN)
    assert client.refresh(), client.complaint
    expect(client.trusted(), (2, 2, 2, 2), "trusted")


@case("digests and lengths of metadata, right ones")
def meta_digests(repository, client):
    repository.has_digests = True
    repository.publish(*CHAIN)
    client.init()
    assert client.refresh(), client.complaint
    expect(client.trusted(), (1, 2, 2, 2), "trusted")


# Broken or unsigned

@case("first root broken: {}", "no version", "no JSON", "signature of something else", "wrong type", "expired is not broken")
def first_root(repository, client, what):
    root = json.loads(repository.published["root"][1])
    if what == "no version":
        del root["signed"]["version"]
    elif what == "signature of something else":
        root["signatures"][0]["sig"] = json.loads(repository.published["targets"][1])["signatures"][0]["sig"]
    elif what == "wrong type":
        root["signed"]["_type"] = "targets"
    data = b"{" if what == "no JSON" else json.dumps(root).encode()
    if what.startswith("expired"):
        repository.root.expires = in_days(-1)
        repository.put_out("root")
        data = repository.published["root"][1]
        repository.root.expires = in_days(1)
        repository.publish("root")
        assert client.init(data) and client.refresh(), client.complaint
        return
    client.init(data)
    assert not client.refresh()
    expect(repository.asked, [], "asked")


BEFORE = {"root": (1, None, None, None), "timestamp": (1, None, None, None), "snapshot": (1, 1, None, None), "targets": (1, 1, 1, None)}


@case("{} not signed", *TOP)
def unsigned(repository, client, role):
    client.init()
    repository.signers[role].clear()
    if role == "root":
        repository.publish("root")
    else:
        for name in CHAIN:
            repository.put_out(name)
    refused(client.refresh(), client, role, "signatures")
    expect(client.trusted(), BEFORE[role], "trusted")


@case("{} signed by a key of another role", *TOP)
def other_key(repository, client, role):
    client.init()
    other = TOP[TOP.index(role) - 1]
    repository.signers[role] = dict(repository.signers[other])
    if role == "root":
        repository.publish("root")
    else:
        for name in CHAIN:
            repository.put_out(name)
    refused(client.refresh(), client, role, "signatures")
    expect(client.trusted(), BEFORE[role], "trusted")


@case("{} in place of {}, well signed", ("snapshot", "timestamp"), ("timestamp", "snapshot"), ("snapshot", "targets"), ("targets", "root"))
def wrong_type(repository, client, given, role):
    client.init()
    for signer in repository.signers[role].values():
        repository.add_key(given, signer)
    if given == "snapshot":
        repository.snapshot.meta["snapshot.json"] = MetaFile(1)
    repository.publish("root", *CHAIN)
    data = repository.published[given][None]
    version = repository.signed(role).version
    if role == "root":
        version += 1
    repository.published[role][version] = repository.published[role][None] = data
    refused(client.refresh(), client, "another role")
    assert client.version(role) in (None, 2 if role == "root" else None)


@case("{} that is {}", *[(role, what) for role in TOP for what in ("cut off", "no UTF-8", "nested without end", "empty", "a number twice")])
def spoiled(repository, client, role, what):
    client.init()
    if role == "root":
        repository.publish("root")
    good = repository.published[role][None]
    bad = {
        "cut off": good[:-40],
        "no UTF-8": good.replace(b'"spec_version"', b'"spec\xc0\x80version"'),
        "nested without end": b"[" * 10_000,
        "empty": b"",
        "a number twice": good.replace(b'"version"', b'"version":7,"version"', 1),
    }[what]
    version = repository.signed(role).version
    repository.published[role][version] = repository.published[role][None] = bad
    refused(client.refresh(), client, role)
    expect(client.trusted(), BEFORE[role], "trusted")


@case("{} missing from the repository", "timestamp", "snapshot", "targets")
def missing(repository, client, role):
    client.init()
    assert client.refresh(), client.complaint
    repository.publish(*CHAIN)
    repository.published[role] = {}
    refused(client.refresh(), client, role, "does not have it")
    newest = {"timestamp": (1, 1, 1, 1), "snapshot": (1, 2, 1, 1), "targets": (1, 2, 2, 1)}
    expect(client.trusted(), newest[role], "trusted")


@case("server answers 500 instead of root 2")
def server_error(repository, client):
    client.init()
    repository.answers["/metadata/2.root.json"] = lambda handler: handler.send_error(500)
    refused(client.refresh(), client, "500")
    expect(client.trusted(), (1, None, None, None), "trusted")


@case("server answers {!r}", b"\r\n\r\n", b"", b"HTTP/1.1 200\r\n", b"HTTP/1.1 x\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 9_000)
def odd_server(repository, client, answer):
    client.init()

    def send(handler):
        handler.wfile.write(answer)
        handler.close_connection = True

    repository.answers["/metadata/timestamp.json"] = send
    refused(client.refresh(), client, "timestamp.json")
    expect(client.trusted(), (1, None, None, None), "trusted")


@case("{} without end, {} a length", *[(name, what) for name in ("2.root", "timestamp", "1.snapshot", "1.targets") for what in ("with", "without")])
def endless(repository, client, name, what):
    sent = [0]

    def answer(handler):
        handler.send_response(200)
        if what == "with":
            handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        try:
            while sent[0] < 200_000_000:
                handler.wfile.write(b" " * 65_536)
                sent[0] += 65_536
        except OSError:
            pass
        handler.close_connection = True

    client.init()
    repository.answers[f"/metadata/{name}.json"] = answer
    refused(client.refresh(), client, "bytes")
    assert sent[0] < 50_000_000, f"{sent[0]} bytes were taken"


@case("longer than announced: {}", "snapshot", "targets")
def longer(repository, client, role):
    repository.has_digests = True
    repository.publish(*CHAIN)
    client.init()
    repository.published[role][2] += b" "
    refused(client.refresh(), client, "bytes")
    assert client.version(role) is None


@case("other bytes than announced: {}", "snapshot", "targets")
def digest_wrong(repository, client, role):
    repository.has_digests = True
    repository.publish(*CHAIN)
    client.init()
    # As long and as well signed, but not these bytes: the signature's hexadecimal digits are capitals.
    document = json.loads(repository.published[role][2])
    signature = document["signatures"][0]["sig"].encode()
    repository.published[role][2] = repository.published[role][2].replace(signature, signature.upper())
    refused(client.refresh(), client, role, "not the content")
    assert client.version(role) is None


@case("other major version of the specification: {}", *TOP)
def specification(repository, client, role):
    client.init()
    # Set past the check of the library that signs it.
    repository.signed(role).spec_version = "2.0.0"
    if role == "root":
        repository.publish("root")
    else:
        for name in CHAIN:
            repository.put_out(name)
    refused(client.refresh(), client, role, "major version")
    expect(client.trusted(), BEFORE[role], "trusted")


# Freeze

@case("{} expired, and recovered", *TOP)
def expired(repository, client, role):
    client.init()
    assert client.refresh(), client.complaint
    repository.signed(role).expires = in_days(-5)
    repository.publish(*CHAIN, "root")
    refused(client.refresh(), client, role, "expired")
    newest = {"root": (2, 1, 1, 1), "timestamp": (2, 1, 1, 1), "snapshot": (2, 2, 1, 1), "targets": (2, 2, 2, 1)}
    expect(client.trusted(), newest[role], "trusted")
    repository.signed(role).expires = in_days(5)
    repository.publish(*CHAIN, "root")
    assert client.refresh(), client.complaint
    expect(client.trusted(), (3, 3, 3, 3), "trusted")


@case("kept {} expires: no update from a frozen repository, one from a live one", *TOP)
def kept_expired(repository, client, role):
    for name in TOP:
        repository.signed(name).expires = in_days(60)
    repository.signed(role).expires = in_days(7)
    repository.publish(*CHAIN, "root")
    client.init()
    assert client.refresh(), client.complaint
    refused(client.refresh(days=18), client, role, "expired")
    repository.signed(role).expires = in_days(21)
    repository.publish(*CHAIN, "root")
    assert client.refresh(days=18), client.complaint
    expect(client.trusted(), (3, 3, 3, 3), "trusted")
    refused(client.refresh(days=30), client, role, "expired")


@case("an expired root in the middle of the chain")
def expired_between(repository, client):
    client.init()
    repository.root.expires = in_days(-1)
    repository.publish("root")
    repository.root.expires = in_days(10)
    repository.publish("root")
    assert client.refresh(), client.complaint
    expect(client.trusted(), (3, 1, 1, 1), "trusted")


# Rollback

@case("older timestamp")
def timestamp_rollback(repository, client):
    client.init()
    repository.publish("timestamp")
    assert client.refresh(), client.complaint
    repository.published["timestamp"][None] = repository.published["timestamp"][1]
    refused(client.refresh(), client, "timestamp", "after version 2")
    expect(repository.asked[-1], "timestamp.json", "asked last")
    expect(client.trusted(), (1, 2, 1, 1), "trusted")


@case("timestamp of the same version and another content")
def timestamp_same(repository, client):
    client.init()
    assert client.refresh(), client.complaint
    repository.timestamp.snapshot_meta.version = 100
    repository.put_out("timestamp")
    assert client.refresh(), client.complaint
    expect(repository.asked[-1], "timestamp.json", "asked last")
    kept = json.loads((client.metadata / "timestamp.json").read_bytes())
    expect(kept["signed"]["meta"]["snapshot.json"]["version"], 1, "announced snapshot")


@case("older snapshot, {}", "plain", "with digests")
def snapshot_rollback(repository, client, what):
    repository.has_digests = what == "with digests"
    client.init()
    repository.publish("snapshot", "timestamp")
    assert client.refresh(), client.complaint
    repository.snapshot.version = 1
    repository.put_out("snapshot")
    repository.publish("timestamp")
    refused(client.refresh(), client, "snapshot", "after version 2")
    expect(client.trusted(), (1, 2, 2, 1), "trusted")


@case("older targets under a newer snapshot, {}", "plain", "with digests")
def targets_rollback(repository, client, what):
    repository.has_digests = what == "with digests"
    client.init()
    repository.publish(*CHAIN)
    assert client.refresh(), client.complaint
    repository.targets.version = 1
    repository.put_out("targets")
    repository.publish("snapshot", "timestamp")
    refused(client.refresh(), client, "targets", "after version 2")
    expect(client.version("targets"), 2, "targets")
    expect(client.version("snapshot"), 2, "snapshot")


@case("a delegated role removed from the snapshot")
def removed(repository, client):
    repository.delegate("targets", "A")
    repository.publish("A", *CHAIN)
    client.init()
    assert client.refresh(), client.complaint
    del repository.snapshot.meta["A.json"]
    repository.publish("snapshot", "timestamp")
    refused(client.refresh(), client, "missing from the snapshot")
    expect(client.trusted(), (1, 3, 2, 2), "trusted")


@case("targets removed from the snapshot")
def targets_removed(repository, client):
    client.init()
    del repository.snapshot.meta["targets.json"]
    repository.publish("snapshot", "timestamp")
    refused(client.refresh(), client, "missing from the snapshot")
    assert client.version("targets") is None


@case("mix and match: {} of another time", "snapshot", "targets")
def mix(repository, client, role):
    client.init()
    assert client.refresh(), client.complaint
    repository.publish(*CHAIN)
    repository.published[role][2] = repository.published[role][1]
    refused(client.refresh(), client, role, "version 1 where version 2")
    expect(client.version(role), 1, role)


@case("newer targets that no snapshot announces")
def unannounced(repository, client):
    client.init()
    assert client.refresh(), client.complaint
    announced = copy.deepcopy(repository.snapshot.meta)
    repository.publish("targets")
    repository.snapshot.meta = announced
    repository.publish("snapshot", "timestamp")
    assert client.refresh(), client.complaint
    expect(client.trusted(), (1, 2, 2, 1), "trusted")


@case("recovery from a version thrown far ahead: {}", "timestamp", "snapshot", "targets")
def fast_forward(repository, client, role):
    client.init()
    repository.signed(role).version = 99_999
    for name in CHAIN[CHAIN.index(role):]:
        repository.put_out(name) if name == role else repository.publish(name)
    assert client.refresh(), client.complaint
    expect(client.version(role), 99_999, role)
    repository.signed(role).version = 1
    for name in {"timestamp": ["timestamp"], "snapshot": ["snapshot", "timestamp"], "targets": ["snapshot"]}[role]:
        repository.replace_keys(name)
    repository.publish("root")
    for name in CHAIN[CHAIN.index(role):]:
        repository.put_out(name) if name == role else repository.publish(name)
    assert client.refresh(), client.complaint
    expect(client.version(role), 1, role)


# Keys

@case("fifteen root rotations in a row")
def rotations(repository, client):
    for _ in range(15):
        old = dict(repository.signers["root"])
        repository.replace_keys("root")
        repository.signers["root"].update(old)
        repository.publish("root")
        for key in old:
            del repository.signers["root"][key]
    client.init()
    assert client.refresh(), client.complaint
    expect(repository.asked[:16], [f"{version}.root.json" for version in range(2, 18)], "asked")
    expect(client.trusted(), (16, 1, 1, 1), "trusted")


@case("root {} offered as root 2", 1, 3)
def root_version(repository, client, version):
    client.init()
    repository.publish("root", "root")
    repository.published["root"][2] = repository.published["root"][version]
    refused(client.refresh(), client, "root", "where version 2")
    expect(client.trusted(), (1, None, None, None), "trusted")


@case(
    "root from {1} of {0} to {3} of {2}, signed by {4}: {5}",
    ("1", 1, "2", 1, "21", "taken"), ("1", 1, "2", 1, "3214", "taken"), ("1", 1, "2", 1, "234", "refused"), ("1", 1, "2", 1, "134", "refused"),
    ("01234", 3, "01234", 3, "041", "taken"), ("01234", 3, "01345", 3, "041", "taken"), ("01234", 3, "01345", 3, "0245", "taken"),
    ("01234", 3, "01345", 3, "024", "refused"), ("01234", 3, "01345", 3, "045", "refused"), ("01234", 3, "56789", 3, "024567", "taken"),
    ("123", 1, "123", 2, "12", "taken"), ("123", 1, "123", 2, "2", "refused"), ("123", 2, "123", 1, "12", "taken"), ("123", 2, "123", 1, "1", "refused"),
    ("1", 1, "12", 2, "12", "taken"),
)
def root_thresholds(repository, client, old, old_threshold, new, new_threshold, signers, verdict):
    keys = [CryptoSigner.generate_ed25519() for _ in range(10)]
    for version, (names, threshold, signing) in enumerate([(old, old_threshold, old), (new, new_threshold, signers)], start=1):
        repository.root.version = version
        repository.root.roles["root"] = Role([], threshold)
        for name in names:
            repository.root.add_key(keys[int(name)].public_key, "root")
        repository.signers["root"] = {name: keys[int(name)] for name in signing}
        repository.put_out("root")
    assert client.init(), client.complaint
    if verdict == "taken":
        assert client.refresh(), client.complaint
    else:
        refused(client.refresh(), client, "root", "signatures")
    kept = 2 if verdict == "taken" else 1
    expect((client.metadata / "root.json").read_bytes(), repository.published["root"][kept], "root")


@case(
    "{0} with {2} of {1}, signed by {3}: {4}",
    *[
        (role, *row)
        for role in ("timestamp", "snapshot", "targets")
        for row in [("2", 1, "2", "taken"), ("1", 1, "314", "taken"), ("2", 1, "134", "refused"), ("01345", 3, "024", "refused"), ("01345", 3, "04", "refused"),
                    ("01234", 3, "024", "taken"), ("01234", 3, "123", "taken"), ("0123", 5, "0123", "refused")]
    ],
)
def thresholds(repository, client, role, names, threshold, signers, verdict):
    keys = [CryptoSigner.generate_ed25519() for _ in range(10)]
    repository.root.roles[role] = Role([], threshold)
    for name in names:
        repository.root.add_key(keys[int(name)].public_key, role)
    repository.signers[role] = {name: keys[int(name)] for name in signers}
    repository.publish("root", *CHAIN)
    client.init()
    if verdict == "taken":
        assert client.refresh(), client.complaint
        expect((client.metadata / f"{role}.json").read_bytes(), repository.published[role][None], role)
    else:
        refused(client.refresh(), client, role, "signatures")
        assert client.version(role) is None


@case("threshold faked: one key under many ids")
def one_key_many_ids(repository, client):
    client.init()
    signer = next(iter(repository.signers["snapshot"].values()))
    for index in range(5):
        key = Key.from_dict(f"{index:064x}", signer.public_key.to_dict())
        repository.root.add_key(key, "snapshot")
        repository.signers["snapshot"][key.keyid] = CryptoSigner(signer._private_key, key)
    repository.root.roles["snapshot"].threshold = 3
    repository.publish("root", *CHAIN)
    refused(client.refresh(), client, "snapshot", "1 of the 3")
    assert client.version("snapshot") is None


def patched(repository, role, change, signer_role=None):
    """Puts out the newest of `role` changed as JSON and signed anew, past the checks of the library."""
    document = json.loads(repository.published[role][None])
    change(document)
    signed = encode_canonical(document["signed"]).encode()
    if signer_role != "as it was":
        document["signatures"] = [
            {"keyid": key, "sig": signer.sign(signed).signature} for key, signer in repository.signers[signer_role or role].items()
        ]
    version = document["signed"]["version"]
    repository.published[role][version] = repository.published[role][None] = json.dumps(document).encode()


@case("threshold faked: a key id listed many times")
def id_listed_twice(repository, client):
    client.init()
    repository.publish("root")

    def change(document):
        role = document["signed"]["roles"]["snapshot"]
        role["keyids"] *= 5
        role["threshold"] = 3

    patched(repository, "root", change)
    assert not client.refresh()
    assert client.version("snapshot") is None


@case("threshold faked: a signature many times")
def signature_twice(repository, client):
    client.init()

    def change(document):
        document["signatures"] *= 2

    patched(repository, "snapshot", change, "as it was")
    refused(client.refresh(), client, "snapshot", "signatures")
    assert client.version("snapshot") is None


@case("threshold of {!r}", 0, -1, "1", True)
def odd_threshold(repository, client, threshold):
    client.init()
    repository.publish("root")
    patched(repository, "root", lambda document: document["signed"]["roles"]["snapshot"].update(threshold=threshold))
    refused(client.refresh(), client, "root")
    expect(client.trusted(), (1, None, None, None), "trusted")


def make_signer(kind):
    return {
        "ed25519": CryptoSigner.generate_ed25519,
        "ecdsa-sha2-nistp256": CryptoSigner.generate_ecdsa,
        "rsassa-pss-sha256": CryptoSigner.generate_rsa,
        "rsa-pkcs1v15-sha256": lambda: CryptoSigner.generate_rsa(scheme="rsa-pkcs1v15-sha256"),
    }[kind]()


@case("keys of {}: right and wrong signature", "ed25519", "ecdsa-sha2-nistp256", "rsassa-pss-sha256", "rsa-pkcs1v15-sha256")
def key_kinds(repository, client, kind):
    client.init()
    signer = repository.add_key("root", make_signer(kind))
    repository.root.roles["root"].threshold = 2
    repository.publish("root")
    assert client.refresh(), client.complaint
    expect(client.version("root"), 2, "root")
    repository.publish("root")
    metadata = Metadata.from_bytes(repository.published["root"][3])
    metadata.signatures[signer.public_key.keyid] = signer.sign(b"something else")
    repository.published["root"][3] = metadata.to_bytes()
    refused(client.refresh(), client, "root", "1 of the 2")
    expect(client.version("root"), 2, "root")


@case("a signature that is {}, beside enough right ones", "wrong", "empty", "no hexadecimal", "of another kind")
def spare_signature(repository, client, what):
    client.init()
    spare = next(iter(repository.signers["timestamp"]))
    repository.add_key("timestamp")
    repository.publish("root", "timestamp")

    def change(document):
        for signature in document["signatures"]:
            if signature["keyid"] == spare:
                other = repository.signers["timestamp"][spare].sign(b"something else").signature
                signature["sig"] = {"wrong": other, "empty": "", "no hexadecimal": "xyz", "of another kind": "00" * 64}[what]

    patched(repository, "timestamp", change, "as it was")
    assert client.refresh(), client.complaint
    expect(client.version("timestamp"), 2, "timestamp")


# Delegations

@case(
    "delegations {0}: visits {1}",
    ("A", "A"), ("A B", "A B"), ("A B B>C", "A B C"), ("A B A>C A>D", "A C D B"), ("A B A>C C>D", "A C D B"), ("A B A>C! A>D", "A C"),
    ("A B A>C! C>D", "A C D"), ("A:*.py B A>C", "B"), ("A B A>C:*.py C>D", "A B"), ("A B B>C C>D D>B", "A B C D"), ("A B B>C A>C", "A C B"),
    ("A B B>C A>C:*.py", "A B C"),
)
def graphs(repository, client, graph, visited):
    names = []
    for edge in graph.split():
        terminating = edge.endswith("!")
        edge, _, pattern = edge.rstrip("!").partition(":")
        delegator, _, name = edge.rpartition(">")
        repository.delegate(delegator or "targets", name, [pattern or "*"], terminating)
        names.append(name)
    repository.publish(*dict.fromkeys(names), *CHAIN)
    client.init()
    refused(client.download("missing"), client, "no target")
    expect(repository.asked[4:], [f"1.{name}.json" for name in visited.split()], "visited")


@case(
    "search for {0}: {1}, by {2}",
    ("file", "found", "nobody else"), ("README.md", "found", "A"), ("releases/x/x_v1", "found", "B C"), ("releases/y/y_v1.zip", "found", "B D"),
    ("releases/z/z_v1.zip", "absent", "B"),
)
def search(repository, client, path, verdict, visited):
    repository.delegate("targets", "A", ["*.doc", "*.md"])
    repository.delegate("targets", "B", ["releases/*/*"])
    repository.delegate("B", "C", ["releases/x/*"])
    repository.delegate("B", "D", ["releases/y/*.zip"])
    for role, name in [("targets", "file"), ("A", "README.md"), ("C", "releases/x/x_v1"), ("D", "releases/y/y_v1.zip"), ("D", "releases/z/z_v1.zip")]:
        repository.add_file(role, name, f"{name} by {role}".encode())
    repository.publish("A", "B", "C", "D", *CHAIN)
    client.init()
    found = client.download(path)
    expect(found, verdict == "found", "found")
    roles = [] if visited == "nobody else" else [f"1.{name}.json" for name in visited.split()]
    expect([name for name in repository.asked[4:] if name.endswith(".json")], roles, "visited")
    expect(client.contents(), {path: repository.contents[path]} if found else {}, "downloaded")


@case("role name '{}' is one name, in addresses and on disk", "?", "#", "/delegated", "../delegated", "a b", "ü", ".", "%2e")
def odd_role(repository, client, name):
    repository.delegate("targets", name)
    repository.publish(name, *CHAIN)
    client.init()
    refused(client.download("missing"), client, "no target")
    expect(repository.asked[-1], f"1.{urllib.parse.quote(name, '')}.json", "asked")
    expect(client.version(name), 1, "kept")
    expect(len(list(client.metadata.iterdir())), 5, "files")


@case("delegation by the beginning of a path's digest")
def digest_prefixes(repository, client):
    digest = hashlib.sha256(b"a file").hexdigest()
    other = f"{int(digest[0], 16) ^ 1:x}"
    repository.delegate("targets", "A", prefixes=[other])
    repository.delegate("targets", "B", prefixes=[other, digest[:2]])
    repository.add_file("B", "a file", b"content")
    repository.publish("A", "B", *CHAIN)
    client.init()
    assert client.download("a file"), client.complaint
    expect([name for name in repository.asked[4:] if name.endswith(".json")], ["1.B.json"], "visited")


@case("delegation to one of 2^{} bins", 1, 3, 8)
def bins(repository, client, bits):
    signer = CryptoSigner.generate_ecdsa()
    succinct = SuccinctRoles([], 1, bits, "bin")
    repository.targets.delegations = Delegations({}, None, succinct)
    repository.targets.add_key(signer.public_key)
    for name in succinct.get_roles():
        repository.metadata[name] = Metadata(Targets(expires=in_days(30)))
        repository.signers[name] = {"": signer}
    name = succinct.get_role_for_target("a file")
    repository.add_file(name, "a file", b"content")
    repository.publish(*succinct.get_roles(), *CHAIN)
    client.init()
    assert client.download("a file"), client.complaint
    expect([name for name in repository.asked[4:] if name.endswith(".json")], [f"1.{name}.json"], "visited")


@case("delegated role {}", "not signed", "signed by its delegator's delegator", "expired", "missing", "not in the snapshot", "with an older version", "of the wrong type")
def delegated_broken(repository, client, what):
    repository.delegate("targets", "A")
    repository.add_file("A", "a file", b"content")
    if what == "not signed":
        repository.signers["A"].clear()
    elif what.startswith("signed by"):
        repository.signers["A"] = dict(repository.signers["targets"])
    elif what == "expired":
        repository.signed("A").expires = in_days(-1)
    repository.publish("A", *CHAIN)
    if what == "missing":
        repository.published["A"] = {}
    elif what == "not in the snapshot":
        del repository.snapshot.meta["A.json"]
        repository.publish("snapshot", "timestamp")
    elif what == "with an older version":
        repository.publish("A", *CHAIN)
        repository.published["A"][2] = repository.published["A"][1]
    elif what == "of the wrong type":
        patched(repository, "A", lambda document: document["signed"].update(_type="snapshot", meta={}))
    client.init()
    assert not client.download("a file")
    expect(client.contents(), {}, "downloaded")
    assert client.version("A") is None


@case("delegated role expires after it was kept, and recovers")
def delegated_expires(repository, client):
    for role in TOP:
        repository.signed(role).expires = in_days(60)
    repository.delegate("targets", "A")
    repository.signed("A").expires = in_days(7)
    repository.add_file("A", "first", b"first")
    repository.add_file("A", "second", b"second")
    repository.publish("A", *CHAIN, "root")
    client.init()
    assert client.download("first"), client.complaint
    refused(client.download("second", days=18), client, "expired")
    repository.signed("A").expires = in_days(21)
    repository.publish("A", *CHAIN)
    assert client.download("second", days=18), client.complaint
    expect(client.contents(), {"first": b"first", "second": b"second"}, "downloaded")


@case("older version of a delegated role under a newer snapshot")
def delegated_rollback(repository, client):
    repository.delegate("targets", "A")
    repository.publish("A", *CHAIN)
    repository.publish("A", *CHAIN)
    client.init()
    assert client.refresh(), client.complaint
    repository.signed("A").version = 1
    repository.put_out("A")
    repository.publish("snapshot", "timestamp")
    refused(client.refresh(), client, "A", "after version 2")


@case("more delegated roles than anybody should need")
def many(repository, client):
    names = [f"R{index}" for index in range(40)]
    for delegator, name in zip(["targets", *names], names):
        repository.delegate(delegator, name)
    repository.add_file("R39", "a file", b"content")
    repository.publish(*names, *CHAIN)
    client.init()
    assert not client.download("a file")
    expect(len(repository.asked), 4 + 32, "asked")


# Targets

@case("target '{}' arrives and is not fetched again", "file.txt", "path/to/file", "a b", "ü", "?", "#", "a%20b", "a+b&c=d")
def download(repository, client, path):
    content = f"content of {path}".encode()
    repository.add_file("targets", path, content)
    if path != urllib.parse.unquote(path):
        repository.contents[urllib.parse.unquote(path)] = content
        repository.targets.targets[urllib.parse.unquote(path)] = repository.targets.targets[path]
    repository.publish(*CHAIN)
    client.init()
    assert client.refresh(), client.complaint
    expect(client.contents(), {}, "downloaded")
    assert client.download(path), client.complaint
    name = urllib.parse.quote(path, "")
    expect({entry.name: entry.read_bytes() for entry in client.targets.iterdir()}, {name: content}, "downloaded")
    asked = len(repository.asked)
    repository.contents.clear()
    assert client.download(path), client.complaint
    assert all(not entry.endswith(path) for entry in repository.asked) and asked > len(repository.asked), repository.asked


@case("target '../x' stays in its folder")
def traversal(repository, client):
    repository.add_file("targets", "../x", b"content")
    repository.publish(*CHAIN)
    client.init()
    served = repository.targets.targets["../x"].hashes["sha256"]
    repository.answers[f"/targets/../{served}.x"] = lambda handler: (
        handler.send_response(200), handler.send_header("Content-Length", "7"), handler.end_headers(), handler.wfile.write(b"content"))
    assert client.download("../x"), client.complaint
    expect([entry.name for entry in client.targets.iterdir()], ["..%2Fx"], "downloaded")
    expect(sorted(entry.name for entry in client.targets.parent.iterdir()), ["metadata", "root.json", "targets"], "beside it")


@case("several targets at a time; one is not there")
def several(repository, client):
    for name in ("a", "b"):
        repository.add_file("targets", name, name.encode())
    repository.publish(*CHAIN)
    client.init()
    assert client.download("a", "b"), client.complaint
    expect(client.contents(), {"a": b"a", "b": b"b"}, "downloaded")
    refused(client.download("a", "c"), client, "no target")


@case("target with {}", "other content", "more content", "less content", "no content", "content without end")
def substituted(repository, client, what):
    repository.add_file("targets", "a", b"the right content")
    repository.add_file("targets", "b", b"another right content")
    repository.publish(*CHAIN)
    client.init()
    assert client.download("a"), client.complaint
    bad = {
        "other content": b"the wrong content", "more content": b"the right content and more", "less content": b"the right conten",
        "no content": None, "content without end": b"x" * 50_000_000,
    }[what]
    repository.contents["a"] = repository.contents["b"] = bad
    client.download("a")
    assert not client.download("b")
    expect(client.contents(), {"a": b"the right content"}, "downloaded")


@case("target by {}", "sha512 alone", "sha256 and sha512", "sha256 and an unknown algorithm")
def algorithms(repository, client, what):
    repository.add_file("targets", "a", b"content", {"sha512 alone": ["sha512"]}.get(what, ["sha256", "sha512"]))
    if what.endswith("unknown algorithm"):
        hashes = repository.targets.targets["a"].hashes
        del hashes["sha512"]
        hashes["of tomorrow"] = "00"
    repository.publish(*CHAIN)
    client.init()
    assert client.download("a"), client.complaint
    repository.contents["a"] = b"tnetnoc"
    (client.targets / "a").unlink()
    refused(client.download("a"), client, "not what was signed")
    expect(client.contents(), {}, "downloaded")


@case("target changes ten times; what is not signed is never taken")
def changes(repository, client):
    client.init()
    for turn in range(10):
        content = f"content {turn}".encode()
        repository.add_file("targets", "a", content)
        repository.publish(*CHAIN)
        assert client.download("a"), client.complaint
        repository.contents["a"] = f"c0ntent {turn}".encode()
        repository.publish(*CHAIN)
        client.download("a")
        expect(client.contents(), {"a": content}, "downloaded")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("client", help="the program to be tried")
    parser.add_argument("--only", default="", help="only cases with this in their title")
    options = parser.parse_args()
    client_program = os.path.abspath(options.client)
    failed = []
    chosen = [entry for entry in CASES if options.only in entry[0]]
    for title, function, row in chosen:
        with tempfile.TemporaryDirectory() as folder:
            repository = Repository()
            client = Client(client_program, repository, pathlib.Path(folder))
            try:
                function(repository, client, *row)
                verdict = "pass"
            except AssertionError as error:
                verdict = f"FAIL  {error or inspect.trace()[-1].code_context[0].strip()}"
                failed.append(title)
            finally:
                repository.close()
        print(f"{title[:100]:<100} {verdict}", flush=True)
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
