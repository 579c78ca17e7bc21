"""A repository of The Update Framework (specification 1.0.34), made with `cryptography` and nothing of ours: four roles of
one P-256 key each, packages in `targets` itself. `frames` says what SPEC.md 8.1 sends ahead of a DesiredState; `deceive`
what somebody sends who has the hub's place and not its keys."""
import hashlib
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stock import messages as m

ROLES = ("root", "timestamp", "snapshot", "targets")


def canonical(value):
    """Canonical JSON, for what has no control characters but newlines in it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).replace("\\n", "\n").encode()


class Key:
    def __init__(self):
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.pem = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        self.id = hashlib.sha256(self.pem.encode()).hexdigest()

    def public(self):
        return {"keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": self.pem}}

    def sign(self, signed):
        return {"keyid": self.id, "sig": self.private.sign(canonical(signed), ec.ECDSA(hashes.SHA256())).hex()}


class Repository:
    def __init__(self):
        self.keys = {role: Key() for role in ROLES}
        self.strangers = {role: Key() for role in ROLES}
        self.versions = dict.fromkeys(ROLES, 0)
        self.expires = dict.fromkeys(ROLES, "2040-01-01T00:00:00Z")
        self.targets = {}
        self.files = {}  # (role, version) -> bytes
        self.listed = {}  # what was listed -> its path
        self.publish_root([self.keys["root"]])
        self.publish()

    def copy(self):
        other = object.__new__(Repository)
        other.__dict__ = {
            name: dict(value) if isinstance(value, dict) else value for name, value in self.__dict__.items()}
        return other

    def put(self, role, own, signers):
        version = self.versions[role]
        signed = {"_type": role, "spec_version": "1.0.34", "version": version, "expires": self.expires[role], **own}
        self.files[role, version] = json.dumps(
            {"signed": signed, "signatures": [key.sign(signed) for key in signers]}).encode()

    def publish_root(self, signers):
        self.versions["root"] += 1
        self.put("root", {
            "consistent_snapshot": True, "keys": {key.id: key.public() for key in self.keys.values()},
            "roles": {role: {"keyids": [key.id], "threshold": 1} for role, key in self.keys.items()}}, signers)

    def rotate(self, *roles):
        former = self.keys["root"]
        for role in roles:
            self.keys[role] = Key()
        self.publish_root([former, self.keys["root"]] if "root" in roles else [former])

    def publish(self, roles=("targets", "snapshot", "timestamp"), keys=None):
        for role in roles:
            self.versions[role] += 1
            own = {
                "targets": {"targets": self.targets},
                "snapshot": {"meta": {"targets.json": {"version": self.versions["targets"]}}},
                "timestamp": {"meta": {"snapshot.json": {"version": self.versions["snapshot"]}}}}[role]
            self.put(role, own, [(keys or self.keys)[role]])

    def list(self, content, says):
        """The path of a package, which is listed and published when it is new. `says`: what the metadata says instead
        of the truth, and of what only the caller knows."""
        what = (content, json.dumps(says, sort_keys=True))
        if what in self.listed:
            return self.listed[what]
        says = dict(says)
        digest = hashlib.sha256(content).hexdigest()
        custom = {"family": says["family"], "variant": says["variant"]}
        custom |= {"release": int(says["release"]), "arena": int(says["arenaBytes"])}
        if says.get("store"):
            custom["store"] = says["store"]
        path = f"packages/{custom['release']}/{digest[:16]}-{len(self.listed)}"
        self.targets[path] = {
            "length": int(says.get("packageBytes", len(content))), "hashes": {"sha256": digest}, "custom": custom}
        self.publish()
        self.listed[what] = path
        return path

    def frame(self, role, version=None, content=None):
        version = version or self.versions[role]
        return m.Metadata(role=role, version=version, content=content or self.files[role, version])

    def frames(self, held, needs_targets):
        """SPEC 8.1."""
        sent = [self.frame("root", version) for version in range(held.root + 1, self.versions["root"] + 1)]
        if self.versions["timestamp"] > held.timestamp and (held.wants_timestamp or needs_targets):
            sent.append(self.frame("timestamp"))
        if needs_targets:
            sent += [
                self.frame(role) for role in ("snapshot", "targets") if self.versions[role] > getattr(held, role)]
        return sent

    def deceive(self, how, held):
        """What comes instead of `frames`."""
        forged = self.copy()
        newest = ("timestamp", "snapshot", "targets")
        if how == "other-key":
            # All of it newer, and signed with keys of one's own.
            forged.publish(keys=self.strangers)
            return [forged.frame(role) for role in newest]
        if how == "other-root":
            forged.keys = self.strangers
            forged.publish_root([self.strangers["root"]])
            forged.publish()
            return [forged.frame("root"), *(forged.frame(role) for role in newest)]
        if how == "flipped-metadata":
            frames = [self.frame(role) for role in newest]
            frames[-1].content = frames[-1].content.replace(b'"arena": ', b'"arena": 1')
            return frames
        if how == "flipped-signature":
            frames = [self.frame(role) for role in newest]
            for frame in frames:
                content = frame.content
                frame.content = content[:-12] + (b"1" if content[-12:-11] == b"0" else b"0") + content[-11:]
            return frames
        if how == "rolled-back":
            # What was right once, under the numbers of now.
            return [self.frame(role, version=1) for role in newest]
        if how == "old-timestamp":
            return [self.frame("timestamp", version=held.timestamp - 1)]
        if how == "mixed":
            # The newest list of versions, and an older file under the name of the one that it means.
            return [
                self.frame("timestamp"), self.frame("snapshot"),
                self.frame("targets", content=self.files["targets", self.versions["targets"] - 1])]
        if how == "mixed-snapshot":
            return [
                self.frame("timestamp"),
                self.frame("snapshot", content=self.files["snapshot", self.versions["snapshot"] - 1]),
                self.frame("targets")]
        if how == "nothing":
            return []
        if how == "garbage":
            return [self.frame(role, content=b"[" * 4_000) for role in newest]
        raise ValueError(how)
