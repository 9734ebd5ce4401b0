"""base64url, signatures and public keys: verification-v1.md sections 1 and 2, step 4."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


def base64url(text):
    """RFC 4648 section 5 without padding, canonical; None for anything else."""
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        return None
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # Bits left over get lost on the way back.
    return data if urlsafe_b64encode(data).rstrip(b"=").decode() == text else None


# Ed25519 (RFC 8032 section 5.1), as far as the strict rules need the curve itself.
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_MINUS_ONE = pow(2, (_P - 1) // 4, _P)


def _root(u, v):
    """A square root of u/v; None where there is none."""
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if (v * x * x - u) % _P:
        x = x * _SQRT_MINUS_ONE % _P
    return None if (v * x * x - u) % _P else x


# Points of small order: 1 and -1 (order 1 and 2), 0 (order 4), and those whose double has y = 0 (order 8), so
# that x^2 = -y^2 and d*y^4 + 2*y^2 = 1.
_ROOT = _root(_D + 1, 1)
_EIGHTH = _root(_ROOT - 1, _D) or _root(-_ROOT - 1, _D)
_SMALL = {0, 1, _P - 1, _EIGHTH, _P - _EIGHTH}


def _is_point(encoded):
    """A canonical encoding (RFC 8032 section 5.1.3) of a point that is not of small order."""
    number = int.from_bytes(encoded, "little")
    y = number & ((1 << 255) - 1)
    # With y < p an encoding is canonical but for x = 0 with its sign, and there y is 1 or -1.
    return y < _P and y not in _SMALL


def _is_on_curve(encoded):
    y = int.from_bytes(encoded, "little") & ((1 << 255) - 1)
    return _root(y * y - 1, (_D * y * y + 1) % _P) is not None


@lru_cache(maxsize=4096)
def ed25519_key(encoded):
    """A sound Ed25519 key: 32 bytes, canonical, not of small order; else None."""
    if len(encoded) != 32 or not _is_point(encoded) or not _is_on_curve(encoded):
        return None
    return ed25519.Ed25519PublicKey.from_public_bytes(encoded)


@lru_cache(maxsize=4096)
def p256_key(x, y):
    """A sound P-256 key: coordinates of exactly 32 bytes, on the curve; else None."""
    if len(x) != 32 or len(y) != 32:
        return None
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
    try:
        return numbers.public_key()
    except ValueError:
        return None


# CVE-2017-15361: the generator's moduli lie in the subgroup that 65537 spans, modulo each of these primes.
_ROCA_PRIMES = [prime for prime in range(3, 168) if all(prime % other for other in range(2, prime))]
_ROCA_GROUPS = [(prime, {pow(65537, power, prime) for power in range(prime)}) for prime in _ROCA_PRIMES]


@lru_cache(maxsize=4096)
def rsa_key(modulus, exponent):
    """A sound RSA key; else None."""
    if modulus[:1] in (b"", b"\0") or exponent[:1] in (b"", b"\0"):
        return None
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if not 2048 <= n.bit_length() <= 4096 or n % 2 == 0:
        return None
    if e < 65537 or e % 2 == 0 or e.bit_length() > 32:
        return None
    if all(n % prime in group for prime, group in _ROCA_GROUPS):
        return None
    return rsa.RSAPublicNumbers(e, n).public_key()


def holds(algorithm, key, signature, message):
    """Whether the signature holds under the key, strictly."""
    try:
        if algorithm in ("EdDSA", "Ed25519"):
            return _ed25519_holds(key, signature, message)
        if algorithm == "ES256":
            return _es256_holds(key, signature, message)
        if len(signature) != (key.key_size + 7) // 8:
            return False
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


_GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def _ed25519_holds(key, signature, message):
    if len(signature) != 64 or int.from_bytes(signature[32:], "little") >= _GROUP_ORDER:
        return False
    # Whether it is on the curve, the equation shows.
    if not _is_point(signature[:32]):
        return False
    key.verify(signature, message)
    return True


_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _es256_holds(key, signature, message):
    if len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (1 <= r < _P256_ORDER and 1 <= s < _P256_ORDER):
        return False
    key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    return True
