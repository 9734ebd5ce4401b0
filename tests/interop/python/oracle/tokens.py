"""Tokens: verification-v1.md sections 2 and 4."""

from .jws import Compact, object_of
from .refused import demand
from .signatures import holds
from .strict_json import integer

MAX_TOKEN = 16384
TYPES = {"rfc9068": "at+jwt", "flowkit": "jwt", "fedn": "jwt", "plain": "jwt"}
STRINGS = {"rfc9068": ("sub", "client_id", "jti"), "flowkit": ("sub", "jti", "user_claims"), "fedn": ("sub", "jti", "role"), "plain": ()}
DATES = {"rfc9068": ("iat",), "flowkit": ("iat",), "fedn": ("iat",), "plain": ()}
FORBIDDEN = {"rfc9068": (), "flowkit": ("type",), "fedn": ("token_type",), "plain": ()}


def judge(data, keys, expected, now):
    """Header and claims of a token that passes steps 1 to 6."""
    demand(len(data) <= MAX_TOKEN, "TOKEN-LENGTH")
    token = Compact(data)
    wanted = TYPES[expected["profile"]]
    typ = token.header.get("typ")
    demand(typ is not None and typ.lower() in (wanted, "application/" + wanted), "TOKEN-TYPE")
    demand("kid" in token.header, "TOKEN-KID-MISSING")
    key = keys.get(token.header["kid"])
    demand(key is not None, "TOKEN-KEY-UNKNOWN")
    demand(key.algorithm == token.header["alg"], "TOKEN-KEY-ALGORITHM")
    demand(holds(key.algorithm, key.public, token.signature, token.message), "TOKEN-SIGNATURE")
    claims = object_of(token.payload, "TOKEN-CLAIMS-JSON")
    judge_claims(claims, expected)
    judge_times(claims, expected, now)
    return token.header, claims


def judge_claims(claims, expected):
    """Step 5."""
    for name in ("iss", "sub", "jti", "client_id", "scope"):
        demand(name not in claims or isinstance(claims[name], str), "TOKEN-CLAIM-TYPE")
    issuer, audience, profile = expected.get("issuer"), expected.get("audience"), expected["profile"]
    if issuer is not None:
        demand(claims.get("iss") == issuer, "TOKEN-ISSUER")
    if audience is not None:
        demand("aud" not in claims or isinstance(claims["aud"], str), "TOKEN-CLAIM-TYPE")
        demand(claims.get("aud") == audience, "TOKEN-AUDIENCE")
    else:
        demand("aud" not in claims, "TOKEN-CLAIM-FORBIDDEN")
    for name in STRINGS[profile]:
        demand(name in claims, "TOKEN-CLAIM-MISSING")
        demand(isinstance(claims[name], str), "TOKEN-CLAIM-TYPE")
    demand(all(name in claims for name in DATES[profile]), "TOKEN-CLAIM-MISSING")
    demand(not any(name in claims for name in FORBIDDEN[profile]), "TOKEN-CLAIM-FORBIDDEN")
    if expected.get("role") is not None:
        demand(claims["role"] == expected["role"], "TOKEN-ROLE")
    for name, value in expected.get("claims", {}).items():
        demand(name in claims, "TOKEN-CLAIM-MISSING")
        demand(isinstance(claims[name], str) and claims[name] == value, "TOKEN-CLAIM-VALUE")
    demand("cnf" not in claims or expected.get("possession"), "TOKEN-POSSESSION")


def judge_times(claims, expected, now):
    """Step 6."""
    demand("exp" in claims, "TOKEN-CLAIM-MISSING")
    times = {name: integer(claims[name]) for name in ("exp", "nbf", "iat") if name in claims}
    demand(None not in times.values(), "TOKEN-CLAIM-TYPE")
    leeway, longest = expected.get("leeway", 0), expected.get("longest")
    demand(now < times["exp"] + leeway, "TOKEN-EXPIRED")
    demand(times.get("nbf", 0) <= now + leeway, "TOKEN-NOT-YET-VALID")
    demand(times.get("iat", 0) <= now + leeway, "TOKEN-ISSUED-IN-FUTURE")
    if longest is not None:
        demand("iat" in times, "TOKEN-CLAIM-MISSING")
        demand(0 <= times["exp"] - times["iat"] <= longest, "TOKEN-VALIDITY")
