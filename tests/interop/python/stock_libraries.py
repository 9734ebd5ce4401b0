"""PyJWT and joserfc on a published key set, each used as its own documentation shows, strictly."""

import json

import cases
import joserfc.errors
import jwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet


def pyjwt(case, keys):
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(case["token"])["kid"]]
    required = {"require": ["iss", "aud", "exp", "iat", "nbf", "sub", "jti"]}
    return jwt.decode(
        case["token"], key, algorithms=[case["algorithm"]], audience=case["audience"], issuer=case["issuer"], options=required
    )


def joserfc_library(case, keys):
    token = joserfc_jwt.decode(case["token"], KeySet.import_key_set(keys), algorithms=[case["algorithm"]])
    joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": case["issuer"]},
        aud={"essential": True, "value": case["audience"]},
        exp={"essential": True},
        nbf={"essential": True},
        sub={"essential": True},
    ).validate(token.claims)
    return token.claims


LIBRARIES = {"PyJWT": pyjwt, "joserfc": joserfc_library}
# An unknown kid surfaces as KeyError from PyJWT's key set.
REFUSALS = (jwt.PyJWTError, joserfc.errors.JoseError, KeyError)


def check(case):
    try:
        with open(case["keys"], encoding="utf-8") as file:
            return cases.accepted(case, LIBRARIES[case["verifier"]](case, json.load(file)))
    except REFUSALS as error:
        return cases.refused(case, f"{type(error).__name__}: {error}")
    except Exception as error:
        return cases.broken(case, error)


cases.write([check(case) for case in cases.read()["cases"]])
