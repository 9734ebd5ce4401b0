"""Bundles and what they withdraw: bundle-v1.md."""

import hashlib
import re

from . import keys as jwk
from . import tokens
from .jws import Compact, object_of
from .members import NAME, Members
from .refused import Refused, demand
from .signatures import holds
from .strict_json import integer

MAX_BUNDLE = 16 << 20
MAX_KEYS = 1000
MAX_LEAP = 10_000
MAX_SKEW = 86400
MAX_PATH = 255
UNLISTED = ("bundle.jwt", "SHA256SUMS")
TYPE = "jwk-set+jwt"
MEMBERS = (
    "iss", "sub", "store", "version", "seq", "prev", "root_version", "iat", "exp",
    "skew_seconds", "services", "keys", "revoked", "files", "checkpoint",
)  # fmt: skip
_PART = re.compile(r"(?![.-])[A-Za-z0-9._-]+(?<!\.)")


def signed(data, rules, largest, typ, key_of):
    """A compact JWS of exactly alg, kid and typ, signed by the key that `key_of` knows under its kid."""
    demand(len(data) <= largest, f"{rules}-LENGTH")
    jws = compact(data, f"{rules}-FORM")
    demand(jws.header.get("typ") == typ, f"{rules}-TYPE")
    demand("kid" in jws.header and jws.header["alg"] == "EdDSA", f"{rules}-KEY")
    key = key_of(jws.header["kid"])
    demand(key is not None, f"{rules}-KEY")
    demand(holds("EdDSA", key.public, jws.signature, jws.message), f"{rules}-SIGNATURE")
    return jws


def compact(data, rule):
    """A compact JWS of any length, refused by one rule whatever is wrong with its form."""
    try:
        return Compact(data)
    except Refused:
        raise Refused(rule) from None


class Bundle:
    """A bundle signed under a root, with contents that are sound by themselves."""

    def __init__(self, data, root):
        def key_of(kid):
            return root.keys[kid] if kid in root.bundlers.kids else None

        jws = signed(data, "BUNDLE", MAX_BUNDLE, TYPE, key_of)
        self.signer = jws.header["kid"]
        self.digest = hashlib.sha256(data).hexdigest()
        claims = object_of(jws.payload, "BUNDLE-JSON")
        self._read(Members(claims, "BUNDLE-MEMBER"))

    def _read(self, claims):
        claims.version("BUNDLE-VERSION")
        claims.known_if_critical(MEMBERS)
        self.issuer, self.store = claims.string("iss"), claims.string("store")
        demand(claims.string("sub") == self.issuer, "BUNDLE-MEMBER")
        self.seq = claims.integer("seq", 1)
        demand(claims.has("prev") == (self.seq > 1), "BUNDLE-MEMBER")
        self.prev = claims.digest("prev") if self.seq > 1 else None
        self.root_version = claims.integer("root_version", 1)
        self.iat, self.exp = claims.integer("iat"), claims.integer("exp")
        demand(self.exp > self.iat, "BUNDLE-MEMBER")
        self.skew = claims.integer("skew_seconds", 0, MAX_SKEW)
        services = claims.object("services")
        self.services = {name: service_of(name, services.object(name), self.issuer) for name in services.value}
        self._read_keys(claims.array("keys"))
        self.revoked = revoked_of(claims.object("revoked"), self.services)
        files = claims.object("files")
        for path in files.value:
            files.digest(path)
            demand(path not in UNLISTED and len(path) <= MAX_PATH, "BUNDLE-MEMBER")
            demand(all(_PART.fullmatch(part) for part in path.split("/")), "BUNDLE-MEMBER")
        claims.string("checkpoint")

    def _read_keys(self, elements):
        demand(len(elements) <= MAX_KEYS, "BUNDLE-MEMBER")
        try:
            self.keys = jwk.keys_of(elements)
        except Refused:
            raise Refused("BUNDLE-KEYS") from None
        self.users = {}
        for element in elements:
            if element.get("kid") in self.keys:
                names = Members(element, "BUNDLE-MEMBER").different("services")
                demand(names and all(name in self.services for name in names), "BUNDLE-MEMBER")
                self.users[element["kid"]] = names

    def keys_for(self, service):
        return {kid: key for kid, key in self.keys.items() if service in self.users[kid]}


def service_of(name, service, issuer):
    """What the verifier of a service's tokens expects."""
    demand(NAME.fullmatch(name), "BUNDLE-MEMBER")
    service.only("profile", "audience", "leeway_seconds", "longest_validity_seconds", "claims")
    profile = service.string("profile")
    demand(profile in tokens.TYPES, "BUNDLE-MEMBER")
    audience = service.string("audience") if service.has("audience") else None
    if profile in ("rfc9068", "flowkit"):
        demand(audience is not None, "BUNDLE-MEMBER")
    if profile == "fedn":
        demand(audience is None, "BUNDLE-MEMBER")
    return {
        "profile": profile,
        "issuer": issuer if profile in ("rfc9068", "plain") else None,
        "audience": audience,
        "leeway": service.integer("leeway_seconds"),
        "longest": service.integer("longest_validity_seconds"),
        "claims": service.strings("claims"),
    }


def revoked_of(revoked, services):
    revoked.only("all", "services", "roles", "subjects", "kids", "tokens")
    found = {name: revoked.times(name) for name in ("services", "roles", "subjects", "kids", "tokens")}
    found["all"] = revoked.integer("all") if revoked.has("all") else None
    for name in found["roles"]:
        service, slash, _role = name.partition("/")
        demand(slash and services.get(service, {}).get("profile") == "fedn", "BUNDLE-MEMBER")
    return found


def accepted(data, root, installed, now):
    """The bundle that may be installed under the root, after the one that is installed."""
    bundle = Bundle(data, root)
    demand((bundle.issuer, bundle.store) == (root.issuer, root.store), "BUNDLE-FOREIGN")
    demand(bundle.root_version <= root.version, "BUNDLE-ROOT")
    demand(bundle.exp <= root.exp, "BUNDLE-OUTLIVES-ROOT")
    demand(now < bundle.exp, "BUNDLE-EXPIRED")
    demand(bundle.iat <= now + bundle.skew, "BUNDLE-FUTURE")
    if installed is None or installed.signer not in root.bundlers.kids:
        return bundle
    demand(bundle.seq >= installed.seq, "BUNDLE-ROLLBACK")
    if bundle.seq == installed.seq:
        demand(bundle.digest == installed.digest, "BUNDLE-SAME-NUMBER")
    demand(bundle.seq <= installed.seq + MAX_LEAP, "BUNDLE-LEAP")
    if bundle.seq == installed.seq + 1:
        demand(bundle.prev == installed.digest, "BUNDLE-PREVIOUS")
    return bundle


def judge_token(data, bundle, service, now):
    """A token before a verifier from a trust store: steps 0 to 7."""
    demand(now < bundle.exp, "TRUST-EXPIRED")
    demand(bundle.iat <= now + bundle.skew, "TRUST-CLOCK")
    header, claims = tokens.judge(data, bundle.keys_for(service), bundle.services[service], now)
    demand(not is_revoked(header, claims, bundle, service), "TOKEN-REVOKED")
    return header, claims


def is_revoked(header, claims, bundle, service):
    revoked = bundle.revoked
    cutoffs = [revoked["all"], revoked["services"].get(service), revoked["kids"].get(header["kid"])]
    if "sub" in claims:
        cutoffs.append(revoked["subjects"].get(claims["sub"]))
    if bundle.services[service]["profile"] == "fedn":
        cutoffs.append(revoked["roles"].get(f"{service}/{claims['role']}"))
    iat = integer(claims["iat"]) if "iat" in claims else 0
    touched = any(cutoff is not None and iat <= cutoff for cutoff in cutoffs)
    return touched or ("jti" in claims and claims["jti"] in revoked["tokens"])
