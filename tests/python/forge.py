"""Tokens nobody should believe."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

# A key that no issuer has published.
STRANGE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encode(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def header_of(token: str) -> dict[str, Any]:
    return jwt.get_unverified_header(token)


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def tampered(token: str, **claims: Any) -> str:
    """Other claims under the old signature."""
    header, _, signature = token.split(".")
    return f"{header}.{encode(claims_of(token) | claims)}.{signature}"


def with_alg_none(token: str) -> str:
    return f"{encode(header_of(token) | {'alg': 'none'})}.{token.split('.')[1]}."


def with_hs256(token: str, secret: bytes) -> str:
    """Signed by whoever has the public key, as if it were a secret."""
    text = f"{encode(header_of(token) | {'alg': 'HS256'})}.{token.split('.')[1]}"
    tag = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}"


def forged(token: str, kid: str | None = None) -> str:
    """The same claims under a strange key, with the name of the real one or another."""
    header = {"kid": kid or header_of(token)["kid"], "typ": header_of(token)["typ"]}
    return jwt.encode(claims_of(token), STRANGE_KEY, algorithm="RS256", headers=header)
