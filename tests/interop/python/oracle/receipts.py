"""Receipts: receipt-v1.md."""

import hashlib
import re

from . import keys as jwk
from .bundles import compact, signed
from .jws import object_of
from .members import Members
from .refused import Refused, demand

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
        key = enrolled
        if key is None:
            # Whose it is, only the receipt itself says: it is read before anything is verified.
            demand(len(data) <= MAX_RECEIPT, "RECEIPT-LENGTH")
            self._read(compact(data, "RECEIPT-FORM").payload)
            key = self.key
        jws = signed(data, "RECEIPT", MAX_RECEIPT, TYPE, lambda kid: key if kid == key.thumbprint else None)
        self.digest = hashlib.sha256(data).hexdigest()
        self._read(jws.payload)
        demand(self.key.thumbprint == key.thumbprint, "RECEIPT-KEY")

    def _read(self, payload):
        claims = Members(object_of(payload, "RECEIPT-JSON"), "RECEIPT-MEMBER")
        claims.version("RECEIPT-VERSION")
        try:
            _kid, self.key = jwk.one_of(claims.object("key").value)
        except Refused as refused:
            raise Refused("RECEIPT-OWN-KEY" if refused.rule == jwk.RULE else refused.rule) from None
        demand(self.key is not None and self.key.algorithm == "EdDSA", "RECEIPT-OWN-KEY")
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
        demand("" not in kids.value, "RECEIPT-MEMBER")
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
