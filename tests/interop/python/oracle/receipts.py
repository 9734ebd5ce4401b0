"""Receipts: receipt-v1.md."""

import hashlib
import re

from . import keys as jwk
from .bundles import signed
from .jws import object_of
from .members import Members
from .refused import Refused, demand
from .strict_json import integer

MAX_RECEIPT = 1 << 20
TYPE = "coldsign-receipt+jwt"
MEMBERS = (
    "version", "store", "verifier", "counter", "prev", "root_version", "seq", "bundle",
    "installed_at", "loaded_at", "kids", "iat", "key",
)  # fmt: skip
_VERIFIER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Receipt:
    """A receipt, signed by the enrolled key or, where none is given, by the key in it."""

    def __init__(self, data, enrolled):
        def key_of(jws):
            key = enrolled or self._own_key(jws.payload)
            return key if key.thumbprint == jws.header["kid"] else None

        jws = signed(data, "RECEIPT", MAX_RECEIPT, TYPE, key_of)
        self.digest = hashlib.sha256(data).hexdigest()
        claims = object_of(jws.payload, "RECEIPT-JSON")
        demand(integer(claims.get("version")) == 1, "RECEIPT-VERSION")
        self._read(Members(claims, "RECEIPT-MEMBER"))
        demand(self._own_key(jws.payload).thumbprint == jws.header["kid"], "RECEIPT-KEY")

    @staticmethod
    def _own_key(payload):
        claims = object_of(payload, "RECEIPT-JSON")
        demand(integer(claims.get("version")) == 1, "RECEIPT-VERSION")
        demand("key" in claims, "RECEIPT-MEMBER")
        try:
            _kid, key = jwk.one_of(claims["key"])
        except Refused:
            raise Refused("RECEIPT-OWN-KEY") from None
        demand(key is not None and key.algorithm in ("EdDSA", "Ed25519"), "RECEIPT-OWN-KEY")
        return key

    def _read(self, claims):
        claims.known_if_critical(MEMBERS)
        self.store, self.verifier = claims.string("store"), claims.string("verifier")
        demand(_VERIFIER.fullmatch(self.verifier), "RECEIPT-MEMBER")
        self.counter = claims.integer("counter", 1)
        demand(claims.has("prev") == (self.counter > 1), "RECEIPT-MEMBER")
        self.prev = claims.digest("prev") if self.counter > 1 else None
        self.root_version = claims.integer("root_version", 1)
        self.seq = claims.integer("seq", 1)
        self.bundle = claims.digest("bundle")
        self.installed_at = claims.integer("installed_at")
        self.loaded_at = claims.integer("loaded_at") if claims.has("loaded_at") else None
        kids = claims.object("kids")
        self.kids = {kid: None if kids.value[kid] is None else kids.integer(kid) for kid in kids.value}
        self.iat = claims.integer("iat")


def accepted(data, enrolled, last):
    """The receipt, after the last one known of this verifier."""
    receipt = Receipt(data, enrolled)
    if last is not None:
        demand(receipt.counter > last.counter, "RECEIPT-COUNTER")
        if receipt.counter == last.counter + 1:
            demand(receipt.prev == last.digest, "RECEIPT-FORK")
    return receipt
