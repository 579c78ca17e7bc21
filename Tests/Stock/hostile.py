"""What a broken or hostile peer does to a hub, one function each. None may harm it; SPEC.md says the answer.

Every act ends with `silence`: what the hub says next, which should be a Refusal or nothing, and then its close.
"""
import datetime
import os
import socket
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

import peer
import stock
from peer import Connection, connect, registration
from stock import enums, messages as m

ACTS = {}


def act(function):
    ACTS[function.__name__.replace("_", "-")] = function
    return function


def silence(connection):
    """Reads until the hub closes; a Refusal on the way is raised. Anything else is an answer it should not have given."""
    while True:
        message = connection.receive()
        if isinstance(message, m.Refusal):
            # SPEC 11: nothing after a refusal, and then the end.
            try:
                after = connection.receive()
                raise AssertionError("after a refusal: " + after.DESCRIPTOR.name)
            except (peer.Closed, OSError):
                raise peer.Refused(message)
        return {"answered": message.DESCRIPTOR.name}


def stranger(identity):
    """A connection as it is before joining: no certificate of one's own."""
    return Connection(identity.hub, ca=identity.path("ca.pem"))


def registered(identity):
    connection = connect(identity)
    connection.hello()
    connection.desired = connection.ask(registration(), m.DesiredState)
    return connection


def say(connection, wire):
    with connection:
        connection.send_bytes(wire)
        return silence(connection)


SALE = m.Record(sale=m.SaleRecord(day=20_000, item="1", units=1))


@act
def plain_text(identity, _):
    """No TLS at all."""
    with socket.create_connection(identity.hub, timeout=peer.SECONDS_MAX) as plain:
        plain.sendall(stock.frame(m.Hello(version_min=1, version_max=1)))
        plain.settimeout(peer.SECONDS_MAX)
        received = b""
        while piece := plain.recv(4_096):
            received += piece
    # An alert record at most: no frame of ours.
    return {"closed": True, "strayBytes": 0 if received[:1] in (b"", b"\x15") else len(received)}


@act
def garbage(identity, _):
    return say(stranger(identity), bytes(range(255, 0, -1)) * 40)


@act
def malformed_hello(identity, _):
    return say(stranger(identity), stock.raw_frame(1, b"\x08"))


@act
def group_in_hello(identity, _):
    return say(stranger(identity), stock.raw_frame(1, b"\x08\x01\x10\x01\x2b\x2c"))


@act
def truncated_frame(identity, _):
    """A frame that never ends because the sender leaves. The hub has nobody to answer."""
    connection = connect(identity)
    with connection:
        connection.hello()
        connection.send_bytes(stock.frame(registration())[:-3])
    return {"left": True}


@act
def oversized_hello(identity, _):
    """Only the header: the hub has to refuse what it is told, not what it has got."""
    return say(stranger(identity), b"\x00\x00\x08\x01\x01")


@act
def oversized_everything(identity, _):
    return say(stranger(identity), b"\xff\xff\xff\xff\x01")


@act
def oversized_upload(identity, _):
    return say(registered(identity), b"\x00\x01\x00\x01\x0c")


@act
def large_frame_of_a_stranger(identity, _):
    """An upload's header, from somebody who has no certificate."""
    connection = stranger(identity)
    connection.hello()
    return say(connection, b"\x00\x00\xff\xff\x0c")


@act
def unknown_kind(identity, _):
    connection = connect(identity)
    connection.hello()
    return say(connection, stock.raw_frame(99, b""))


@act
def hubs_own_kind(identity, _):
    connection = connect(identity)
    connection.hello()
    return say(connection, stock.frame(m.UploadAck(through_sequence=9)))


@act
def version_from_the_future(identity, _):
    return say(stranger(identity), stock.frame(m.Hello(version_min=900, version_max=901)))


@act
def no_hello(identity, _):
    return say(connect(identity), stock.frame(registration()))


@act
def second_hello(identity, _):
    connection = connect(identity)
    connection.hello()
    return say(connection, stock.frame(m.Hello(version_min=1, version_max=1)))


@act
def upload_before_register(identity, _):
    connection = connect(identity)
    connection.hello()
    return say(connection, stock.frame(m.Upload(first_sequence=1, records=[SALE])))


@act
def register_without_certificate(identity, _):
    connection = stranger(identity)
    connection.hello()
    return say(connection, stock.frame(registration()))


@act
def after_goodbye(identity, _):
    connection = registered(identity)
    connection.ask(m.Goodbye(), m.Farewell)
    try:
        return say(connection, stock.frame(m.Upload(first_sequence=1, records=[SALE])))
    except OSError:
        return {"closed": True}


@act
def sequence_gap(identity, _):
    connection = registered(identity)
    stored = connection.desired.stored_through_sequence
    return say(connection, stock.frame(m.Upload(first_sequence=stored + 2, records=[SALE])))


@act
def replayed_upload(identity, _):
    """The same numbers again, with other sales in them: the first ones count."""
    connection = registered(identity)
    stored = connection.desired.stored_through_sequence
    with connection:
        twice = m.Record(sale=m.SaleRecord(day=20_000, item="1", units=900_000))
        acknowledged = [
            connection.ask(m.Upload(first_sequence=1, records=[twice] * min(500, stored or 1)), m.UploadAck)
            .through_sequence for _ in range(2)]
        connection.ask(m.Goodbye(), m.Farewell)
    return {"storedThroughSequence": stored, "acknowledged": acknowledged}


@act
def overlapping_upload(identity, _):
    """Half old, half new: only the new half counts."""
    connection = registered(identity)
    stored = connection.desired.stored_through_sequence
    with connection:
        acknowledged = connection.ask(
            m.Upload(first_sequence=max(1, stored), records=[SALE, SALE]), m.UploadAck)
        connection.ask(m.Goodbye(), m.Farewell)
    return {"storedThroughSequence": stored, "acknowledged": [acknowledged.through_sequence]}


def _bad_record(identity, record):
    connection = registered(identity)
    next_sequence = connection.desired.stored_through_sequence + 1
    return say(connection, stock.frame(
        m.Upload(first_sequence=next_sequence, records=[SALE, record])))


@act
def sale_of_nothing(identity, _):
    return _bad_record(identity, m.Record(sale=m.SaleRecord(day=20_000, item="1", units=0)))


@act
def sale_of_a_strange_item(identity, _):
    return _bad_record(identity, m.Record(sale=m.SaleRecord(day=20_000, item="1;drop,table", units=1)))


@act
def forecast_that_is_no_number(identity, _):
    return _bad_record(identity, m.Record(
        forecast=m.ForecastRecord(day=20_000, item="1", forecast_units=float("nan"))))


@act
def record_of_a_later_version(identity, _):
    return _bad_record(identity, m.Record())


@act
def fetch_what_is_not_mine(identity, _):
    return say(registered(identity), stock.frame(m.Fetch(digest=bytes(32), bytes_max=100)))


def _ask_to_join(identity, secret, csr):
    connection = stranger(identity)
    connection.hello()
    return say(connection, stock.frame(m.JoinRequest(secret=secret, csr_der=csr)))


@act
def token_unknown(identity, _):
    csr = peer.signing_request(ec.generate_private_key(ec.SECP256R1()))
    return _ask_to_join(identity, bytes(16), csr)


@act
def join_with_another_key(identity, token):
    """What somebody does who has seen a token that was used already."""
    csr = peer.signing_request(ec.generate_private_key(ec.SECP256R1()))
    return _ask_to_join(identity, peer.read_token(token).secret, csr)


@act
def join_again_with_the_same_key(identity, token):
    """What a device does whose JoinReply was lost."""
    connection = stranger(identity)
    with connection:
        connection.hello()
        reply = connection.ask(m.JoinRequest(
            secret=peer.read_token(token).secret, csr_der=peer.signing_request(identity.key())), m.JoinReply)
    return {"deviceId": reply.device_id}


@act
def csr_garbage(identity, token):
    return _ask_to_join(identity, peer.read_token(token).secret, b"\x30\x82\x01")


@act
def csr_with_a_false_signature(identity, token):
    csr = bytearray(peer.signing_request(ec.generate_private_key(ec.SECP256R1())))
    csr[-1] ^= 1
    return _ask_to_join(identity, peer.read_token(token).secret, bytes(csr))


@act
def csr_of_another_curve(identity, token):
    csr = peer.signing_request(ec.generate_private_key(ec.SECP384R1()))
    return _ask_to_join(identity, peer.read_token(token).secret, csr)


@act
def csr_with_rsa(identity, token):
    csr = peer.signing_request(rsa.generate_private_key(65_537, 2_048))
    return _ask_to_join(identity, peer.read_token(token).secret, csr)


def _certificate(subject, subject_key, issuer, issuer_key, days=30, is_ca=False):
    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
        .public_key(subject_key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=60))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256()))


def _with_certificate(identity, certificates, key):
    with tempfile.TemporaryDirectory() as folder:
        chain, secret = os.path.join(folder, "chain.pem"), os.path.join(folder, "key.pem")
        with open(chain, "wb") as file:
            for certificate in certificates:
                file.write(certificate.public_bytes(serialization.Encoding.PEM))
        with open(secret, "wb") as file:
            file.write(key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption()))
        connection = Connection(identity.hub, ca=identity.path("ca.pem"), certificate=chain, key=secret)
        connection.hello()
        return say(connection, stock.frame(registration()))


def _own(identity):
    """The device's own name, and the name its hub's CA goes by: a forger knows both."""
    certificate = x509.load_pem_x509_certificate(identity.read("certificate.pem"))
    def common(name):
        return name.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    return common(certificate.subject), common(certificate.issuer)


@act
def certificate_of_another_ca(identity, _):
    """The right device, the right name of the CA, and another CA's key."""
    device, ca = _own(identity)
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    return _with_certificate(identity, [
        _certificate(device, key, ca, ca_key), _certificate(ca, ca_key, ca, ca_key, is_ca=True)], key)


@act
def certificate_signed_by_itself(identity, _):
    device, _ = _own(identity)
    key = ec.generate_private_key(ec.SECP256R1())
    return _with_certificate(identity, [_certificate(device, key, device, key)], key)


@act
def certificate_issued_by_a_device(identity, _):
    """A device that plays CA: its own certificate is genuine, and may not issue another."""
    own = x509.load_pem_x509_certificate(identity.read("certificate.pem"))
    device, _ = _own(identity)
    key = ec.generate_private_key(ec.SECP256R1())
    return _with_certificate(
        identity, [_certificate("d-forged", key, device, identity.key()), own], key)
