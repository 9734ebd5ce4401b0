"""JWK and JWK Set: verification-v1.md section 1."""

import hashlib
from base64 import urlsafe_b64encode

from . import strict_json
from .refused import demand
from .signatures import base64url, ed25519_key, p256_key, rsa_key

PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv")
ALGORITHMS = {"EdDSA": ("OKP", "Ed25519"), "Ed25519": ("OKP", "Ed25519"), "ES256": ("EC", "P-256"), "RS256": ("RSA", None)}
MAX_SET = 1 << 20
MAX_KID = 64
RULE = "KEYS"


class Key:
    """A public key that may be used, and how."""

    def __init__(self, kid, algorithm, public, thumbprint):
        self.kid = kid
        self.algorithm = algorithm
        self.public = public
        self.thumbprint = thumbprint


def key_set(data):
    """kid -> Key, of those to be used; Refused("KEYS") for a set that is not taken in."""
    demand(len(data) <= MAX_SET, RULE)
    try:
        value = strict_json.parse(data)
    except strict_json.NotStrict:
        demand(False, RULE)
    demand(isinstance(value, dict) and isinstance(value.get("keys"), list), RULE)
    return keys_of(value["keys"])


def keys_of(elements):
    """The keys of a set's array `keys`."""
    seen, keys = set(), {}
    for element in elements:
        kid, key = one_of(element)
        if kid is not None:
            demand(kid not in seen, RULE)
            seen.add(kid)
        if key is not None:
            demand(kid is not None, RULE)
            keys[kid] = key
    return keys


def one_of(element):
    """`kid` and Key of one element; the Key is None where it is skipped."""
    demand(isinstance(element, dict), RULE)
    demand(not any(name in element for name in PRIVATE), RULE)
    kid, kty = text(element, "kid"), text(element, "kty")
    demand(kid is None or 1 <= len(kid) <= MAX_KID, RULE)
    demand(kty is not None and kty != "oct", RULE)
    # Of a key that is skipped nothing else is looked at.
    if kty not in ("OKP", "EC", "RSA"):
        return kid, None
    alg = text(element, "alg")
    if alg is not None and alg not in ALGORITHMS:
        return kid, None
    if text(element, "use") not in (None, "sig"):
        return kid, None
    if "key_ops" in element:
        operations = element["key_ops"]
        demand(isinstance(operations, list) and all(isinstance(each, str) for each in operations), RULE)
        demand(len(operations) <= 16 and len(set(operations)) == len(operations), RULE)
        if "verify" not in operations:
            return kid, None
    return kid, usable(element, kty, alg, kid)


def text(element, name):
    """The string under a name, None where it is absent."""
    demand(name not in element or isinstance(element[name], str), RULE)
    return element.get(name)


def usable(element, kty, alg, kid):
    """The Key of an element that is to be used."""
    if alg is None:
        alg = {"OKP": "EdDSA", "EC": "ES256", "RSA": "RS256"}[kty]
    wanted_kty, wanted_crv = ALGORITHMS[alg]
    demand(kty == wanted_kty and text(element, "crv") == wanted_crv, RULE)
    names = {"OKP": ("x",), "EC": ("x", "y"), "RSA": ("n", "e")}[kty]
    parts = [base64url(element.get(name)) for name in names]
    demand(all(part is not None for part in parts), RULE)
    public = {"OKP": ed25519_key, "EC": p256_key, "RSA": rsa_key}[kty](*parts)
    demand(public is not None, RULE)
    return Key(kid, alg, public, thumbprint(element, kty))


def thumbprint(element, kty):
    """RFC 7638: the required members in order, without blanks."""
    names = {"OKP": ("crv", "kty", "x"), "EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}[kty]
    text = "{" + ",".join(f'"{name}":"{element[name]}"' for name in names) + "}"
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
