"""An old system that signs by itself, and a service with PyJWT that reads published files.

`sign KEY KID SECONDS`: a token that lives so long, to standard output; KEY is made if it isn't there.
`check TOKEN FOLDER`: what a service says that follows START-HERE.html and reads revoked.json.
"""

import json
import pathlib
import sys
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

AUDIENCE = "https://api.example.org"
ISSUER = "https://issuer.example.org"


def sign(key, kid, seconds):
    if not key.exists():
        key.write_bytes(
            Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ward-7", "client_id": "ward-7", "jti": f"old-{now}"}
    claims |= {"iat": now - 600, "exp": now + seconds}
    headers = {"kid": kid, "typ": "at+jwt"}
    return jwt.encode(claims, key.read_text(), algorithm="EdDSA", headers=headers)


def check(token, folder):
    header = jwt.get_unverified_header(token)
    keys = jwt.PyJWKSet.from_dict(json.loads((folder / "jwks.json").read_text()))
    try:
        key = keys[header["kid"]]
    except KeyError:
        return "unknown key"
    required = {"require": ["iss", "aud", "exp", "iat", "sub", "jti"]}
    try:
        claims = jwt.decode(token, key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER, options=required)
    except jwt.ExpiredSignatureError:
        return "expired"
    revoked = json.loads((folder / "revoked.json").read_text())
    latest = max(
        revoked["everything"], revoked["kids"].get(header["kid"], 0), revoked["subjects"].get(claims["sub"], 0)
    )
    return "revoked" if claims["iat"] <= latest or claims["jti"] in revoked["tokens"] else "accepted"


if sys.argv[1] == "sign":
    print(sign(pathlib.Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
else:
    print(check(pathlib.Path(sys.argv[2]).read_text().strip(), pathlib.Path(sys.argv[3])))
