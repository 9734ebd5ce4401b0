"""Roots: root-v1.md."""

import hashlib

from . import keys as jwk
from .jws import header_of, object_of
from .members import Members
from .refused import Refused, demand
from .signatures import base64url, holds

MAX_ROOT = 64 << 10
MAX_SIGNATURES = 32
TYPE = "coldsign-root+json"
MEMBERS = ("format", "version", "store", "issuer", "root_version", "iat", "exp", "keys", "roles")


class Role:
    def __init__(self, kids, threshold):
        self.kids = kids
        self.threshold = threshold


class Root:
    """A root as its file says; who signed it is asked with `signed_by`."""

    def __init__(self, data):
        demand(len(data) <= MAX_ROOT, "ROOT-LENGTH")
        file = object_of(data, "ROOT-FORM")
        demand(set(file) == {"payload", "signatures"} and isinstance(file["signatures"], list), "ROOT-FORM")
        demand(len(file["signatures"]) <= MAX_SIGNATURES, "ROOT-FORM")
        payload = base64url(file["payload"])
        demand(payload, "ROOT-FORM")
        self.signatures = [signature_of(each, file["payload"]) for each in file["signatures"]]
        self._read(object_of(payload, "ROOT-FORM"))

    def _read(self, payload):
        root = Members(payload, "ROOT-MEMBER")
        is_known_format = root.string("format") == "coldsign-root"
        root.version("ROOT-VERSION")
        demand(is_known_format, "ROOT-VERSION")
        root.known_if_critical(MEMBERS)
        self.store, self.issuer = root.string("store"), root.string("issuer")
        self.version = root.integer("root_version", 1)
        self.iat, self.exp = root.integer("iat"), root.integer("exp")
        demand(self.exp > self.iat, "ROOT-MEMBER")
        self.keys = {}
        for element in root.array("keys"):
            key = own_key(element)
            demand(key.kid not in self.keys, "ROOT-MEMBER")
            self.keys[key.kid] = key
        roles = root.object("roles")
        roles.only("root", "bundle")
        self.custodians, self.bundlers = role_of(roles.object("root")), role_of(roles.object("bundle"))
        demand(self.bundlers.threshold == 1, "ROOT-MEMBER")
        named = self.custodians.kids + self.bundlers.kids
        demand(len(set(named)) == len(named) and set(named) == set(self.keys), "ROOT-MEMBER")

    def signed_by(self, other):
        """Whether the threshold of `other`'s custodians signed this root."""
        signers = set()
        for kid, signature, message in self.signatures:
            if kid in other.custodians.kids and holds("EdDSA", other.keys[kid].public, signature, message):
                signers.add(kid)
        return len(signers) >= other.custodians.threshold


def signature_of(value, payload):
    """kid, signature and what is signed."""
    demand(isinstance(value, dict), "ROOT-FORM")
    demand(set(value) == {"protected", "signature"}, "ROOT-FORM")
    demand(all(isinstance(part, str) and part for part in value.values()), "ROOT-FORM")
    header, signature = base64url(value["protected"]), base64url(value["signature"])
    demand(header is not None and signature is not None, "ROOT-HEADER")
    try:
        members = header_of(header)
    except Refused:
        raise Refused("ROOT-HEADER") from None
    demand("kid" in members and members["alg"] == "EdDSA", "ROOT-HEADER")
    demand(members.get("typ") == TYPE, "ROOT-TYPE")
    return members["kid"], signature, f"{value['protected']}.{payload}".encode()


def own_key(element):
    """A key of a root: Ed25519, under its thumbprint, with `alg` and `use`."""
    try:
        kid, key = jwk.one_of(element)
    except Refused:
        raise Refused("ROOT-KEY") from None
    demand(key is not None and element.get("alg") == "EdDSA" and element.get("use") == "sig", "ROOT-KEY")
    demand(kid == key.thumbprint, "ROOT-KEY")
    return key


def role_of(role):
    role.only("kids", "threshold")
    kids = role.different("kids")
    demand(1 <= len(kids) <= 32, "ROOT-MEMBER")
    return Role(kids, role.integer("threshold", 1, len(kids)))


def pinned(data, fingerprint):
    """The root that is to be pinned by the fingerprint given."""
    demand(hashlib.sha256(data).hexdigest() == fingerprint, "ROOT-FINGERPRINT")
    root = Root(data)
    demand(root.signed_by(root), "ROOT-THRESHOLD")
    return root


def following(data, trusted):
    """The root after the trusted one."""
    root = Root(data)
    demand(root.signed_by(trusted) and root.signed_by(root), "ROOT-THRESHOLD")
    demand(root.version == trusted.version + 1, "ROOT-GAP")
    demand((root.store, root.issuer) == (trusted.store, trusted.issuer), "ROOT-FOREIGN")
    return root


def last(root, now, skew):
    """The newest root's time."""
    demand(now < root.exp, "ROOT-EXPIRED")
    demand(root.iat <= now + skew, "ROOT-FUTURE")
