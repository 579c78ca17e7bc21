"""A hub made of nothing but Protocol/sync.proto, SPEC.md, the stock protobuf implementation, Python's ssl and
`cryptography`. It serves one device at a time, keeps what it is told in memory, and misbehaves as it is told.

    hub.py FOLDER [ADDRESS]

Prints {"port": ..., "token": ...} once it listens. For every connection it reads FOLDER/wish.json anew:
    {"act": NAME, "offer": {"file": PATH, "says": {...}, "sign": HOW, "serve": HOW, "name": HOW}, "desire": NUMBER}
all of it optional; an act is a function below, `sign` one of repository.py's ways to deceive. With {"daysAhead": NUMBER} it is later at the hub, with
{"expires": {ROLE: TIME}} what it publishes from then on expires then, with {"rotate": [ROLE, ...]} these keys are replaced first. With {"wireBytes": NUMBER} the network goes away after so many bytes, both ways together. Ends when its standard input does. Writes what it hears to FOLDER/heard, one JSON object a line,
before it answers.
"""
import base64
import datetime
import hashlib
import json
import os
import secrets
import socket
import ssl
import sys
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf import json_format

import repository
import stock
from stock import enums, messages as m

SECONDS_MAX = 20


class Gone(Exception):
    """The device has left, or is to be left."""


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def issue(subject, public_key, issuer, issuer_key, is_ca=False, server_name=None):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
        .public_key(public_key).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=90))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True))
    if server_name:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(server_name)]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


class Authority:
    def __init__(self, folder, label):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.label = "Shelfcast CA"
        self.certificate = issue(self.label, self.key.public_key(), self.label, self.key, is_ca=True)
        self.folder, self.prefix = folder, os.path.join(folder, label)

    def server_context(self, server_name="shelfcast-hub"):
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = issue("hub", key.public_key(), self.label, self.key, server_name=server_name)
        pem = serialization.Encoding.PEM
        with open(self.prefix + "-chain.pem", "wb") as file:
            file.write(leaf.public_bytes(pem) + self.certificate.public_bytes(pem))
        with open(self.prefix + "-key.pem", "wb") as file:
            file.write(key.private_bytes(
                pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        with open(self.prefix + "-ca.pem", "wb") as file:
            file.write(self.certificate.public_bytes(pem))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.prefix + "-chain.pem", self.prefix + "-key.pem")
        context.load_verify_locations(self.prefix + "-ca.pem")
        context.verify_mode = ssl.CERT_OPTIONAL
        return context


class Hub:
    def __init__(self, folder, address="127.0.0.1"):
        self.folder = folder
        self.authority, self.stranger = Authority(folder, "own"), Authority(folder, "other")
        self.repository = repository.Repository()
        self.rotated = []
        self.secret = secrets.token_bytes(16)
        self.records = {}  # device -> list, the index being sequence - 1
        self.listener = socket.create_server(
            (address.strip("[]"), 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        token = m.JoinToken(
            host=address, port=self.listener.getsockname()[1], secret=self.secret,
            ca_sha256=hashlib.sha256(der(self.authority.certificate)).digest())
        text = base64.urlsafe_b64encode(token.SerializeToString()).rstrip(b"=").decode()
        print(json.dumps({"port": token.port, "token": "shelfcast1." + text}), flush=True)

    def wish(self):
        try:
            with open(os.path.join(self.folder, "wish.json")) as file:
                return json.load(file)
        except FileNotFoundError:
            return {}

    def hear(self, **what):
        with open(os.path.join(self.folder, "heard"), "a") as file:
            file.write(json.dumps(what) + "\n")

    def serve(self):
        while True:
            plain, _ = self.listener.accept()
            wish = self.wish()
            if "wireBytes" in wish:
                plain = cut_after(plain, wish["wireBytes"])
            plain.settimeout(SECONDS_MAX)
            act = wish.get("act", "honest")
            self.prepare(wish)
            try:
                with self.context(act).wrap_socket(plain, server_side=True) as tls:
                    Conversation(self, tls, wish).run()
            except (OSError, Gone) as error:
                self.hear(act=act, ended=type(error).__name__)
            finally:
                plain.close()

    def prepare(self, wish):
        self.repository.expires |= wish.get("expires", {})
        roles = wish.get("rotate", [])
        if roles != self.rotated:
            self.rotated = roles
            if roles:
                self.repository.rotate(*roles)
                self.repository.publish()

    def context(self, act):
        if act == "another-ca":
            return self.stranger.server_context()
        if act == "another-name":
            return self.authority.server_context("other-hub")
        context = self.authority.server_context()
        if act == "old-tls":
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context


def cut_after(wire, count):
    """The same connection, over a network that goes away after so many bytes."""
    near, far = socket.socketpair()
    left, lock = [count], threading.Lock()

    def pass_on(source, target):
        try:
            while left[0] > 0:
                arrived = source.recv(4_096)
                with lock:
                    passed = arrived[:left[0]]
                    left[0] -= len(passed)
                target.sendall(passed)
                if not arrived:
                    break
        except OSError:
            pass
        for end in (wire, far):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    for pair in ((wire, far), (far, wire)):
        threading.Thread(target=pass_on, args=pair, daemon=True).start()
    return near


class Conversation:
    def __init__(self, hub, tls, wish):
        self.hub, self.tls, self.wish = hub, tls, wish
        self.act = wish.get("act", "honest")
        self.offer = wish.get("offer")
        self.received = b""
        certificate = tls.getpeercert()
        self.device = certificate and dict(pair[0] for pair in certificate["subject"])["commonName"]

    def run(self):
        while True:
            message = self.receive()
            what = message.DESCRIPTOR.name
            self.hub.hear(act=self.act, message=what, content=json_format.MessageToDict(message))
            misdeed = MISDEEDS.get((self.act, what))
            if misdeed:
                misdeed(self, message)
            else:
                getattr(self, "on_" + what)(message)

    def receive(self):
        header = self.read(5)
        return stock.parse(header[4], self.read(int.from_bytes(header[:4], "big")))

    def read(self, count):
        while len(self.received) < count:
            arrived = self.tls.recv(65_536)
            if not arrived:
                raise Gone
            self.received += arrived
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def send(self, message):
        wire = stock.frame(message)
        if self.act == "later-version":
            # Fields that this version does not know, in every message.
            later = b"\xf8\x07\x01\xfa\x07\x03new"
            wire = (len(wire) - 5 + len(later)).to_bytes(4, "big") + wire[4:] + later
        if self.act == "one-byte-at-a-time":
            for i in range(len(wire)):
                self.tls.sendall(wire[i:i + 1])
        else:
            self.tls.sendall(wire)

    def leave(self):
        raise Gone

    def on_Hello(self, _):
        self.items = []
        self.send(m.Welcome(
            version=1, hub_time_ms=int((time.time() + 86_400 * self.wish.get("daysAhead", 0)) * 1000), frame_bytes_max=65_536,
            takes_columns=self.act != "first-release"))

    def on_JoinRequest(self, request):
        if request.secret != self.hub.secret:
            self.send(m.Refusal(code=enums.REFUSAL_TOKEN_UNKNOWN, message="unknown"))
            self.leave()
        csr = x509.load_der_x509_csr(request.csr_der)
        assert csr.is_signature_valid
        authority = self.hub.authority
        self.send(m.JoinReply(
            device_id="d-stock", store="1", approved=True, time_zone="UTC", root=self.hub.repository.frame("root").content,
            certificate_der=der(issue("d-stock", csr.public_key(), authority.label, authority.key)),
            ca_der=der(authority.certificate)))

    def on_Register(self, register):
        stored = len(self.hub.records.get(self.device, []))
        state = m.DesiredState(
            desire=self.wish.get("desire", enums.DESIRE_STAY_AS_YOU_ARE), reason="as wished",
            stored_through_sequence=stored)
        if self.offer:
            content = self.content()
            state.desire = enums.DESIRE_RUN
            state.target = self.hub.repository.list(content, self.offer["says"])
            state.digest = hashlib.sha256(content).digest()
            if self.offer.get("name") == "another-digest":
                state.digest = bytes(32)
            if self.offer.get("name") == "another-target":
                state.target = "packages/1/unlisted"
        for frame in self.metadata(register, state):
            self.send(frame)
        self.send(state)

    def metadata(self, register, state):
        repository = self.hub.repository
        how = self.offer.get("sign", "well") if self.offer else "well"
        if how != "well":
            return repository.deceive(how, register.held)
        needs = state.desire == enums.DESIRE_RUN and state.digest != register.running.digest
        return repository.frames(register.held, needs)

    def content(self):
        with open(self.offer["file"], "rb") as file:
            return file.read()

    def on_Fetch(self, fetch):
        content = self.content()
        how = self.offer.get("serve", "well")
        if how == "flipped":
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1:]
        # Less than was asked for, as a hub may.
        most = min(fetch.bytes_max, 64)
        piece = content[fetch.offset:fetch.offset + most]
        chunk = m.Chunk(
            digest=fetch.digest, offset=fetch.offset, content=piece, package_bytes=len(content))
        if how == "drip":
            chunk.content = piece[:1]
        if how == "cut" and fetch.offset > 0:
            self.leave()
        if how == "longer":
            chunk.package_bytes += 1
        if how == "elsewhere":
            chunk.offset, chunk.package_bytes = fetch.offset + 7, 2**40
        if how == "another-digest":
            chunk.digest = bytes(32)
        self.send(chunk)

    def on_PackageReport(self, _):
        self.send(m.Noted())

    def on_Upload(self, upload):
        self.store(upload)
        self.send(m.UploadAck(through_sequence=len(self.hub.records[self.device])))

    def store(self, upload):
        """SPEC 9.2: those that are new."""
        records = self.hub.records.setdefault(self.device, [])
        assert upload.first_sequence <= len(records) + 1, "a gap"
        sent = self.single_records(upload)
        records.extend(sent[len(records) + 1 - upload.first_sequence:])
        sales = {}
        for record in records:
            if record.HasField("sale"):
                key = f"{record.sale.day} {record.sale.item}"
                sales[key] = sales.get(key, 0) + record.sale.units
        self.hub.hear(act=self.act, stored=len(records), sales=sales)

    def single_records(self, upload):
        """SPEC 9.7."""
        self.items.extend(upload.items)
        records = []
        for record in upload.records:
            if record.HasField("sales"):
                for sold in record.sales.sold:
                    units, index = divmod(sold, len(self.items))
                    records.append(m.Record(sale=m.SaleRecord(
                        day=record.sales.day, item=self.items[index], units=units + 1)))
            elif record.HasField("forecasts"):
                column = record.forecasts
                for i, units in enumerate(column.forecast_units):
                    index = column.item_indexes[i] if column.item_indexes else i
                    item = self.items[index]
                    sold = sum(
                        r.sale.units - r.returned.units for r in records
                        if (r.sale.day, r.sale.item) == (column.day, item)
                        or (r.returned.day, r.returned.item) == (column.day, item))
                    records.append(m.Record(forecast=m.ForecastRecord(
                        day=column.day, item=item, forecast_units=units,
                        network_output=column.network_output[i], release=column.release,
                        actual_units=column.actual_units[i] if column.actual_units else max(0, sold), inputs_complete=column.inputs_complete,
                        level_units=column.level_units[i] if column.level_units else 0,
                        inputs_digest=column.inputs_digest[i] if column.inputs_digest else 0)))
            else:
                records.append(record)
        return records

    def on_ContextRequest(self, request):
        self.send(m.Context(revision=request.known_revision))

    def on_RenewRequest(self, _):
        self.leave()

    def on_Ping(self, _):
        self.send(m.Pong())

    def on_Pong(self, _):
        pass

    def on_Goodbye(self, _):
        self.send(m.Farewell(next_contact_seconds=60))
        self.leave()


MISDEEDS = {}


def misdeed(act, instead_of):
    def note(function):
        MISDEEDS[act, instead_of] = function
        return function
    return note


def instead(act, instead_of, wire):
    """Answers with these bytes, and waits for the device to leave."""
    def answer(conversation, _):
        conversation.tls.sendall(wire)
        conversation.receive()
        raise Gone
    MISDEEDS[act, instead_of] = answer


instead("garbage", "Hello", bytes(range(255, 0, -1)) * 20)
instead("unknown-kind", "Hello", stock.raw_frame(99, b""))
instead("oversized-welcome", "Hello", b"\x00\x00\x01\x01\x02")
instead("devices-own-kind", "Hello", stock.frame(m.Hello(version_min=1, version_max=1)))
instead("version-nobody-offered", "Hello", stock.frame(m.Welcome(version=9)))
instead("answer-to-nothing", "Hello", stock.frame(m.UploadAck(through_sequence=5)))
instead("malformed-state", "Register", stock.raw_frame(7, b"\x12\xff\xff\xff\xff\x7f"))
instead("state-without-target", "Register", stock.frame(
    m.DesiredState(desire=enums.DESIRE_RUN, digest=bytes(32))))
instead("oversized-metadata", "Register", b"\x00\x01\x00\x01\x28")
instead("endless-metadata", "Register", stock.frame(
    m.Metadata(role="targets", version=1, content=bytes(49_152))) * 6)
instead("countless-metadata", "Register", stock.frame(m.Metadata(role="root", version=1, content=b"{}")) * 33)
instead("oversized-context", "ContextRequest", b"\x00\x04\x00\x01\x0f")
instead("context-beyond-its-items", "ContextRequest", stock.frame(
    m.Context(items=["1"], days=[m.StoreDay(day=1, sold=[m.ItemDay(item_index=1)])])))
instead("context-beyond-the-names", "ContextRequest", stock.frame(
    m.Context(named_items=["~1", "~2"], days=[m.StoreDay(day=1, units=[1, 1], item_gaps=[0, 4_096])])))
instead("context-far-beyond-the-names", "ContextRequest", stock.frame(
    m.Context(named_items=["~1", "~2"], days=[m.StoreDay(day=1, units=[1, 1], item_gaps=[0, 2**32 - 1])])))
instead("context-of-no-numbers", "ContextRequest", stock.frame(
    m.Context(items=["1"], levels=[m.ItemLevel(level_units=float("nan"))])))
instead("revoked", "Register", stock.frame(
    m.Refusal(code=enums.REFUSAL_REVOKED, message="this device was revoked")))
instead("copied", "Register", stock.frame(
    m.Refusal(code=enums.REFUSAL_COPY, message="another device has its identity")))
instead("busy", "Register", stock.frame(
    m.Refusal(code=enums.REFUSAL_BUSY, message="come back", retry=True, retry_after_seconds=1)))


@misdeed("cut-frame", "Register")
def cut_frame(conversation, _):
    conversation.tls.sendall(stock.frame(m.DesiredState(reason="x" * 100))[:50])
    conversation.leave()


@misdeed("gone-after-commit", "Upload")
def gone_after_commit(conversation, upload):
    """The commit was made and its answer lost."""
    conversation.store(upload)
    conversation.leave()


@misdeed("gone-before-commit", "Upload")
def gone_before_commit(conversation, _):
    conversation.leave()


@misdeed("acknowledges-nothing", "Upload")
def acknowledges_nothing(conversation, _):
    conversation.send(m.UploadAck(through_sequence=0))


@misdeed("silent-in-report", "PackageReport")
def silent(conversation, _):
    """Says nothing more, and waits for the device to leave."""
    conversation.hub.hear(act=conversation.act, silent=True)
    conversation.receive()
    raise Gone


@misdeed("silent-in-fetch", "Fetch")
def silent_in_fetch(conversation, fetch):
    """Gives the first piece and no other."""
    if fetch.offset > 0:
        silent(conversation, fetch)
    conversation.on_Fetch(fetch)


@misdeed("pings-in-fetch", "Fetch")
def pings_in_fetch(conversation, fetch):
    """As above, but shows that it is alive."""
    if fetch.offset == 0:
        conversation.on_Fetch(fetch)
        return
    while True:
        conversation.send(m.Ping())
        conversation.hub.hear(act=conversation.act, message=conversation.receive().DESCRIPTOR.name)
        time.sleep(0.01)


def end_with_standard_input():
    """Whoever started this holds the other end: when it is gone, however it went, so is the hub."""
    while sys.stdin.buffer.read1(4_096):
        pass
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    Hub(*sys.argv[1:]).serve()
