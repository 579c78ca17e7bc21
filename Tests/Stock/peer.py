"""A device made of nothing but Protocol/sync.proto, SPEC.md, the stock protobuf implementation, Python's
ssl and `cryptography`: proof that others can write one.

    peer.py --state DIR join TOKEN                       SPEC 6: checks the CA's hash, then joins
    peer.py --state DIR visit [--budget BYTES] [--upload FILE] [--first N] [--fetch OUT] [--context] [--contact stay]
                                                         SPEC 7.2: register, upload, context, fetch, goodbye
    peer.py --state DIR renew                            SPEC 12
    peer.py --state DIR hostile ACT ...                  what hostile.py describes
    peer.py --state DIR address HOST PORT                the hub has moved
Prints one JSON object a step. FILE holds JSON lines: {"sale": {"day": 20778, "item": "1", "units": 3}} and so on.
"""
import argparse
import base64
import hashlib
import json
import os
import socket
import ssl
import sys
import tempfile
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf import json_format
from tuf import ngclient
from tuf.api.exceptions import DownloadHTTPError

import stock
from stock import enums, messages as m

SECONDS_MAX = 30  # SPEC 13: for an answer
HUB_NAME = "shelfcast-hub"


class Refused(Exception):
    def __init__(self, refusal):
        super().__init__(refusal.message)
        self.refusal = refusal


class Closed(Exception):
    """The hub closed, with this many bytes of an unfinished frame."""


class Identity:
    """What a device keeps, one file each."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)

    @property
    def hub(self):
        host, port = self.read("hub").decode().split()
        return host, int(port)

    def make_key(self):
        key = ec.generate_private_key(ec.SECP256R1())
        self.write("key.pem", key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return key

    def key(self):
        if os.path.exists(self.path("key.pem")):
            return serialization.load_pem_private_key(self.read("key.pem"), None)
        return self.make_key()

    def keep_certificate(self, der):
        self.write("certificate.pem", pem(der))


def pem(der):
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)


def signing_request(key, digest=hashes.SHA256()):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stock")])
    return x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, digest).public_bytes(
        serialization.Encoding.DER)


class Connection:
    """Frames over TLS 1.3."""

    def __init__(self, address, ca=None, certificate=None, key=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        if ca:
            context.load_verify_locations(ca)
        else:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(certificate, key)
        plain = socket.create_connection(address, timeout=SECONDS_MAX)
        self.tls = context.wrap_socket(plain, server_hostname=HUB_NAME)
        self.received = b""
        self.metadata = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tls.close()

    def presented_chain(self):
        """DER, the hub's own first. Python makes this public in 3.13 only."""
        if hasattr(self.tls, "get_unverified_chain"):
            return list(self.tls.get_unverified_chain())
        return [
            ssl.PEM_cert_to_DER_cert(certificate.public_bytes())
            for certificate in self.tls._sslobj.get_unverified_chain()]

    def send_bytes(self, content):
        self.tls.sendall(content)

    def send(self, message):
        self.send_bytes(stock.frame(message))

    def _read(self, count):
        while len(self.received) < count:
            arrived = self.tls.recv(65_536)
            if not arrived:
                raise Closed(len(self.received))
            self.received += arrived
        taken, self.received = self.received[:count], self.received[count:]
        return taken

    def receive(self):
        header = self._read(5)
        payload = self._read(int.from_bytes(header[:4], "big"))
        return stock.parse(header[4], payload)

    def answer(self, wanted, *passing):
        """The next message of that class. `passing` are those that a hub may send unasked (SPEC 7.3)."""
        while True:
            message = self.receive()
            if isinstance(message, m.Refusal):
                raise Refused(message)
            if isinstance(message, wanted):
                return message
            if isinstance(message, m.Ping):
                self.send(m.Pong())
            elif isinstance(message, m.Metadata):
                self.metadata.append(message)
            elif not isinstance(message, passing or (m.DesiredState, m.ContextNotice, m.Pong)):
                raise AssertionError("out of order: " + message.DESCRIPTOR.name)

    def ask(self, message, wanted):
        self.send(message)
        return self.answer(wanted)

    def hello(self, version_min=1, version_max=1):
        return self.ask(
            m.Hello(version_min=version_min, version_max=version_max, agent_version="stock"), m.Welcome)


def read_token(text):
    prefix, _, body = text.strip().partition(".")
    if prefix != "shelfcast1":
        sys.exit("not a join token")
    return m.JoinToken.FromString(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def pinned_ca(token):
    """SPEC 6.2: the CA the hub presents, in PEM, when it is the one that the token names."""
    with Connection((token.host, token.port)) as connection:
        chain = connection.presented_chain()
    for der in chain:
        if hashlib.sha256(der).digest() == token.ca_sha256:
            return pem(der)
    sys.exit("the hub presented no certificate with the token's hash")


def join(identity, text):
    token = read_token(text)
    identity.write("ca.pem", pinned_ca(token))
    key = identity.key()
    with Connection((token.host, token.port), ca=identity.path("ca.pem")) as connection:
        welcome = connection.hello()
        reply = connection.ask(
            m.JoinRequest(secret=token.secret, csr_der=signing_request(key)), m.JoinReply)
    certificate = x509.load_der_x509_certificate(reply.certificate_der)
    ca = x509.load_der_x509_certificate(reply.ca_der)
    certificate.verify_directly_issued_by(ca)
    assert hashlib.sha256(reply.ca_der).digest() == token.ca_sha256
    assert certificate.public_key() == key.public_key()
    common_name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert common_name == reply.device_id, common_name
    identity.keep_certificate(reply.certificate_der)
    identity.write("root.json", reply.root)
    identity.write("hub", f"{token.host} {token.port}".encode())
    return {
        "deviceId": reply.device_id, "store": reply.store, "approved": reply.approved,
        "timeZone": reply.time_zone, "version": welcome.version,
        "frameBytesMax": welcome.frame_bytes_max,
        "clockOffSeconds": abs(welcome.hub_time_ms / 1000 - time.time()),
        "daysValid": (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days}


def connect(identity):
    return Connection(
        identity.hub, ca=identity.path("ca.pem"), certificate=identity.path("certificate.pem"),
        key=identity.path("key.pem"))


def registration(budget=65_536, contact="visit"):
    return m.Register(
        architecture="x86_64", cores=1, memory_total_bytes=1 << 29, memory_available_bytes=1 << 28,
        model_memory_budget_bytes=budget, model_memory_budget_set_by_operator=True,
        flash_free_bytes=1 << 30, runtime_features=["lstm-int8-v2"],
        power_source=enums.POWER_BATTERY, agent_version="stock", labels=["kind=stock"],
        contact=enums.CONTACT_VISIT if contact == "visit" else enums.CONTACT_STAY)


class Arrived(ngclient.FetcherInterface):
    """Gives the reference client what came on a connection, under the names that it asks for."""

    def __init__(self, frames):
        self.files = {}
        for frame in frames:
            name = f"{frame.role}.json" if frame.role == "timestamp" else f"{frame.version}.{frame.role}.json"
            self.files["hub://" + name] = frame.content

    def _fetch(self, url):
        if url not in self.files:
            raise DownloadHTTPError("not sent", 404)
        yield self.files[url]


def trusted_target(identity, connection, desired):
    """SPEC 8.1, by the reference client. It has kept nothing, so the hub sends all of it."""
    with tempfile.TemporaryDirectory() as kept:
        updater = ngclient.Updater(
            kept, "hub://", fetcher=Arrived(connection.metadata), bootstrap=identity.read("root.json"))
        target = updater.get_targetinfo(desired.target)
    assert target.hashes["sha256"] == desired.digest.hex()
    return target


def fetch(connection, target, content=b"", bytes_max=997, stop_after=None):
    """SPEC 8.2. Goes on behind `content`; nothing of a chunk is taken for granted."""
    digest = bytes.fromhex(target.hashes["sha256"])
    while True:
        chunk = connection.ask(
            m.Fetch(digest=digest, offset=len(content), bytes_max=bytes_max), m.Chunk)
        assert chunk.offset == len(content) and chunk.digest == digest
        assert len(chunk.content) <= bytes_max and chunk.package_bytes == target.length
        content += chunk.content
        if not chunk.content or (stop_after and len(content) >= stop_after):
            return content


def read_records(path):
    with open(path) as file:
        return [json_format.ParseDict(json.loads(line), m.Record()) for line in file if line.strip()]


def begin_fetching(identity, arguments):
    """In small odd pieces, up to an odd byte in the middle, and then gone without a word."""
    with connect(identity) as connection:
        connection.hello()
        desired = connection.ask(registration(arguments.budget), m.DesiredState)
        target = trusted_target(identity, connection, desired)
        return fetch(connection, target, stop_after=target.length // 2)


def visit(identity, arguments):
    told = {}
    begun = begin_fetching(identity, arguments) if arguments.fetch else b""
    with connect(identity) as connection:
        connection.hello()
        desired = connection.ask(registration(arguments.budget, arguments.contact), m.DesiredState)
        told["desire"] = desired.desire
        told["reason"] = desired.reason
        told["storedThroughSequence"] = desired.stored_through_sequence
        target = None
        if desired.desire == enums.DESIRE_RUN:
            target = trusted_target(identity, connection, desired)
            told["target"] = target.custom
            told["digest"] = target.hashes["sha256"]
        if arguments.upload:
            records = read_records(arguments.upload)
            first = arguments.first or desired.stored_through_sequence + 1
            for start in range(0, len(records), 500):
                ack = connection.ask(
                    m.Upload(first_sequence=first + start, records=records[start:start + 500]),
                    m.UploadAck)
            told["throughSequence"] = ack.through_sequence
        if arguments.context:
            told["context"] = []
            connection.send(m.ContextRequest())
            while True:
                context = connection.answer(m.Context)
                told["context"].append(json_format.MessageToDict(context))
                if not context.more:
                    break
        if arguments.fetch:
            content = fetch(connection, target, content=begun, bytes_max=49_152)
            target.verify_length_and_hashes(content)
            with open(arguments.fetch, "wb") as file:
                file.write(content)
            connection.ask(m.PackageReport(
                digest=desired.digest, outcome=enums.OUTCOME_REFUSED,
                reason="the stock client runs no models"), m.Noted)
            told["fetchedBytes"] = len(content)
        farewell = connection.ask(m.Goodbye(), m.Farewell)
        told["nextContactSeconds"] = farewell.next_contact_seconds
        try:
            connection.receive()
            told["closed"] = False
        except (Closed, OSError):
            told["closed"] = True
    return told


def renew(identity):
    key = ec.generate_private_key(ec.SECP256R1())
    with connect(identity) as connection:
        connection.hello()
        connection.ask(registration(), m.DesiredState)
        reply = connection.ask(m.RenewRequest(csr_der=signing_request(key)), m.RenewReply)
    renewed = x509.load_der_x509_certificate(reply.certificate_der)
    assert renewed.public_key() == key.public_key()
    identity.write("key.pem", key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    identity.keep_certificate(reply.certificate_der)
    return {"deviceId": renewed.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value}


def outcome(act):
    """What came of it, as a dictionary: a refusal, a close, a failed handshake, or what `act` returns."""
    try:
        return act()
    except Refused as refused:
        refusal = refused.refusal
        return {
            "refusal": enums_name("REFUSAL_", refusal.code), "message": refusal.message,
            "retry": refusal.retry, "retryAfterSeconds": refusal.retry_after_seconds}
    except Closed as closed:
        return {"closed": True, "strayBytes": closed.args[0]}
    except ssl.SSLError as error:
        return {"tls": error.reason or str(error)}
    except ConnectionError as error:
        return {"closed": True, "error": type(error).__name__}
    except TimeoutError:
        return {"timeout": SECONDS_MAX}


def enums_name(prefix, number):
    for name, value in vars(enums).items():
        if name.startswith(prefix) and value == number:
            return name[len(prefix):]
    return str(number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--state", required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("join").add_argument("token")
    visiting = commands.add_parser("visit")
    visiting.add_argument("--budget", type=int, default=65_536)
    visiting.add_argument("--upload")
    visiting.add_argument("--first", type=int)
    visiting.add_argument("--fetch")
    visiting.add_argument("--context", action="store_true")
    visiting.add_argument("--contact", default="visit")
    commands.add_parser("renew")
    hostile = commands.add_parser("hostile")
    hostile.add_argument("acts", nargs="+")
    hostile.add_argument("--token")
    moved = commands.add_parser("address")
    moved.add_argument("host")
    moved.add_argument("port")
    arguments = parser.parse_args()
    identity = Identity(arguments.state)
    if arguments.command == "join":
        print(json.dumps(outcome(lambda: join(identity, arguments.token))))
    elif arguments.command == "visit":
        print(json.dumps(outcome(lambda: visit(identity, arguments))))
    elif arguments.command == "renew":
        print(json.dumps(outcome(lambda: renew(identity))))
    elif arguments.command == "address":
        identity.write("hub", f"{arguments.host} {arguments.port}".encode())
    else:
        import hostile as acts
        for name in arguments.acts:
            act = acts.ACTS[name]
            print(json.dumps({"act": name, **outcome(lambda: act(identity, arguments.token))}))


if __name__ == "__main__":
    # Through the import, so that hostile.py raises the same classes that are caught here.
    import peer
    peer.main()
