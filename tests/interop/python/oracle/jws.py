"""The form of a compact JWS and its header: verification-v1.md section 2, steps 1 and 2."""

import re

from . import strict_json
from .keys import ALGORITHMS, MAX_KID
from .refused import demand, Refused
from .signatures import base64url

_CHARACTERS = re.compile(rb"[A-Za-z0-9_.-]*")


class Compact:
    """The parts of a compact JWS; nothing is verified."""

    def __init__(self, data):
        demand(_CHARACTERS.fullmatch(data), "TOKEN-CHARACTER")
        parts = data.decode("ascii").split(".")
        demand(len(parts) == 3, "TOKEN-PARTS")
        header, self.payload, self.signature = (base64url(part) for part in parts)
        demand(None not in (header, self.payload, self.signature), "TOKEN-BASE64URL")
        self.message = data[: data.rindex(b".")]
        self.header = header_of(header)


def header_of(data):
    """The header's members, each a string; everything but the rules on `typ`."""
    header = object_of(data, "TOKEN-HEADER-JSON")
    demand(all(name in ("alg", "kid", "typ") for name in header), "TOKEN-HEADER-MEMBER")
    demand(all(isinstance(value, str) for value in header.values()), "TOKEN-HEADER-TYPE")
    demand(header.get("alg") in ALGORITHMS, "TOKEN-ALGORITHM")
    demand("kid" not in header or 1 <= len(header["kid"]) <= MAX_KID, "TOKEN-KID-LENGTH")
    return header


def object_of(data, rule):
    """The strict JSON object that the bytes are."""
    try:
        value = strict_json.parse(data)
    except strict_json.NotStrict:
        raise Refused(rule) from None
    demand(isinstance(value, dict), rule)
    return value
