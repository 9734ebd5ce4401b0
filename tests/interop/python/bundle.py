"""PyJWT on a bundle: an ordinary JWT whose claims are an ordinary key set.

Arguments: a root, a bundle under it, and a bundle under another root; `today` where the dates count:
those of the vectors are fixed, and not held against today.
"""

import base64
import json
import sys

import jwt

TODAY = sys.argv[4:] == ["today"]
OPTIONS = {"verify_exp": TODAY, "verify_iat": TODAY, "require": ["iss", "sub", "iat", "exp"]}


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def bundle_keys(root):
    payload = decoded(root["payload"])
    kids = payload["roles"]["bundle"]["kids"]
    return payload["issuer"], {key["kid"]: jwt.PyJWK(key) for key in payload["keys"] if key["kid"] in kids}


def verified(token, keys, issuer):
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=["EdDSA"], issuer=issuer, options=OPTIONS)


def refused(expected, *arguments):
    try:
        verified(*arguments)
    except expected:
        return
    sys.exit(f"accepted, where {expected.__name__} was due")


with open(sys.argv[1], encoding="utf-8") as file:
    issuer, keys = bundle_keys(json.load(file))
good, other = (open(path, encoding="utf-8").read() for path in sys.argv[2:4])

assert jwt.get_unverified_header(good)["typ"] == "jwk-set+jwt"
claims = verified(good, keys, issuer)
assert [key.key_id for key in jwt.PyJWKSet.from_dict(claims).keys] == [key["kid"] for key in claims["keys"]]
assert all(service in claims["services"] for key in claims["keys"] for service in key["services"])

header, payload, signature = good.split(".")
refused(jwt.InvalidSignatureError, ".".join([header, other.split(".")[1], signature]), keys, issuer)
refused(jwt.InvalidSignatureError, ".".join([header, payload, signature[:-4] + "AAAA"]), keys, issuer)
refused(jwt.InvalidIssuerError, good, keys, issuer + "/")
refused(KeyError, other, keys, issuer)
print("verified")
