#!/usr/bin/env python3
"""Writes tokens.json: tokens made by other code than ours, each with what our verifier must say of it.

    python3 passport/vectors/generate.py > passport/vectors/tokens.json

Needs the `cryptography` package. The keys below were made for these vectors and sign nothing else; RS256 signatures are
deterministic, so a second run writes the same bytes.
"""

import base64
import hashlib
import hmac
import json
import pathlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

HERE = pathlib.Path(__file__).parent
NOW = 1_800_000_000
ISSUER = "https://id.example.net"
SITE = "0193a0c0-0000-7000-8000-000000000001"
DOMAIN = "shop.example.com"


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def load(name: str):
    return serialization.load_pem_private_key((HERE / name).read_bytes(), password=None)


KEY, OTHER, SMALL = load("key.pem"), load("other.pem"), load("small.pem")


def jwk(key, **members) -> dict:
    public = key.public_key().public_numbers()
    required = {"e": number(public.e), "kty": "RSA", "n": number(public.n)}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True).encode()
    return {**required, "kid": b64(hashlib.sha256(canonical).digest()), **members}


KID = jwk(KEY)["kid"]
JWKS = {"keys": [jwk(KEY, alg="RS256", use="sig"), jwk(OTHER, use="enc"), jwk(SMALL)]}


def sign(header, payload, key=KEY, algorithm=None, pad=None) -> str:
    text = [part if isinstance(part, str) else json.dumps(part, separators=(",", ":")) for part in (header, payload)]
    signed = ".".join(b64(part.encode()) for part in text)
    signature = key.sign(signed.encode(), pad or padding.PKCS1v15(), algorithm or hashes.SHA256())
    return f"{signed}.{b64(signature)}"


def header(typ, **members) -> dict:
    return {"alg": "RS256", "typ": typ, "kid": KID, **members}


COMMON = {"iss": ISSUER, "sub": "0193a0c0-0000-7000-8000-00000000000a", "iat": NOW, "jti": "jti-1"}
OWNER = {"user_id": "owner-1", "user_kyc_level": 1, "passport_version": "3"}
LOGIN = {**COMMON, "aud": "lime-site-login", "exp": NOW + 120, "request_id": "request-1", "site_id": SITE, **OWNER}
ACCESS = {**COMMON, "aud": "mcp", "exp": NOW + 300, "domain": DOMAIN}
BINDING = {**COMMON, "aud": "lime-binding", "exp": NOW + 60, "binding_id": "binding-1", "site_id": SITE, **OWNER}
KINDS = {"login": ("lime-login+jwt", LOGIN), "access": ("at+jwt", ACCESS), "binding": ("lime-binding+jwt", BINDING)}

cases = []


def case(name, kind, token, result, **settings):
    recipient = DOMAIN if kind == "access" else SITE
    defaults = {"issuer": ISSUER, "recipient": recipient, "now": NOW, "leeway_secs": 0}
    cases.append({"name": name, "kind": kind, "result": result, **defaults, **settings, "token": token})


def claims(name, kind, result, without=(), typ=None, head=None, also=None, **members):
    settings = also or {}
    default_typ, payload = KINDS[kind]
    payload = {k: v for k, v in {**payload, **members}.items() if k not in without}
    case(name, kind, sign(head or header(typ or default_typ), payload), result, **settings)


for kind, (typ, payload) in KINDS.items():
    claims(f"a {kind} passport", kind, "valid")
    claims(f"a {kind} passport with members nobody knows", kind, "valid", act={"sub": "x"}, scope="a b")
    claims(f"a {kind} passport with its type in full", kind, "valid", typ=f"application/{typ}")
    claims(f"a {kind} passport in its last second", kind, "valid", also={"now": payload["exp"] - 1})
    claims(f"a {kind} passport at its end", kind, "expired", also={"now": payload["exp"]})
    claims(f"a {kind} passport past its end, within the leeway", kind, "valid", also={"now": payload["exp"] + 29, "leeway_secs": 30})
    claims(f"a {kind} passport past its end and the leeway", kind, "expired", also={"now": payload["exp"] + 30, "leeway_secs": 30})
    claims(f"a {kind} passport issued ahead of now", kind, "not_yet_valid", also={"now": NOW - 1})
    claims(f"a {kind} passport with nbf ahead of now", kind, "not_yet_valid", nbf=NOW + 1)
    claims(f"a {kind} passport of another issuer", kind, "issuer", iss="https://id.example.org")
    claims(f"a {kind} passport whose issuer has a final slash", kind, "issuer", iss=ISSUER + "/")
    claims(f"a {kind} passport for another audience", kind, "audience", aud="somebody-else")
    claims(f"a {kind} passport with an empty audience list", kind, "audience", aud=[])
    recipient = "domain" if kind == "access" else "site_id"
    claims(f"a {kind} passport for another recipient", kind, "recipient", **{recipient: "elsewhere.example"})
    lifetime = {"login": 120, "access": 3600, "binding": 60}[kind]
    claims(f"a {kind} passport that lives a second too long", kind, "lifetime", exp=NOW + lifetime + 1)
    claims(f"a {kind} passport that ends as it begins", kind, "lifetime", exp=NOW)
    claims(f"a {kind} passport without typ", kind, "type", head={"alg": "RS256", "kid": KID})
    claims(f"a {kind} passport with typ JWT", kind, "type", typ="JWT")
    for other, (other_typ, _) in KINDS.items():
        if other != kind:
            claims(f"a {kind} passport that calls itself {other}", kind, "type", typ=other_typ)
    required = ["iss", "sub", "aud", "iat", "exp", "jti", recipient]
    required += [] if kind == "access" else list(OWNER)
    required += {"login": ["request_id"], "access": [], "binding": ["binding_id"]}[kind]
    for member in required:
        claims(f"a {kind} passport without {member}", kind, "claims", without=[member])
    for member in ("exp", "nbf", "iat"):
        for value in ("1800000000", 1800000000.5, -1, 1e30, True, [NOW], {}):
            claims(f"a {kind} passport whose {member} is {json.dumps(value)}", kind, "claims", **{member: value})
    for value in (7, {}, "", "a b", "..", "a\nb", "é", "x" * 129):
        claims(f"a {kind} passport whose sub is {json.dumps(value)[:20]}", kind, "claims", sub=value)
    for value in (7, {"mcp": 1}, [1]):
        claims(f"a {kind} passport whose aud is {json.dumps(value)}", kind, "claims", aud=value)

claims("a login passport with its audience in a list", "login", "audience", aud=["lime-site-login"])
claims("a binding passport with its audience in a list", "binding", "audience", aud=["lime-binding"])
claims("an access token with its audience in a list", "access", "valid", aud=["https://shop.example.com", "mcp"])
claims("an access token that names owner and level", "access", "valid", owner="owner-1", owner_level=2)
claims("an access token with a level that is no level", "access", "claims", owner_level=256)
claims("a login passport of version 2", "login", "claims", passport_version="2")
claims("a login passport whose version is a number", "login", "claims", passport_version=3)

T, A = "at+jwt", ACCESS
good = sign(header(T), A)
h, p, s = good.split(".")
case("two parts", "access", f"{h}.{p}", "malformed")
case("four parts", "access", f"{good}.{s}", "malformed")
case("five parts, as an encrypted token has", "access", f"{good}.{s}.{s}", "malformed")
case("nothing", "access", "", "malformed")
case("dots", "access", "..", "malformed")
case("a padded part", "access", f"{h}.{p}.{s}==", "malformed")
case("a part with a line break", "access", f"{h}.{p}.{s[:10]}\n{s[10:]}", "malformed")
case("a part in the other base64 alphabet", "access", f"{h}.{p}.+/{s[2:]}", "malformed")
alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
case("stray bits in the last character", "access", f"{h}.{p}.{s[:-1]}{alphabet[alphabet.index(s[-1]) ^ 1]}", "malformed")
case("a header that is not JSON", "access", sign("{", A), "malformed")
case("a header that is a list", "access", sign([], A), "malformed")
case("a header with alg twice", "access", sign('{"alg":"RS256","alg":"RS256","typ":"at+jwt","kid":"%s"}' % KID, A), "malformed")
case("a header with an unknown member twice", "access", sign('{"alg":"RS256","typ":"at+jwt","kid":"%s","x":1,"\\u0078":2}' % KID, A), "malformed")
case("a header without kid", "access", sign({"alg": "RS256", "typ": T}, A), "malformed")
case("a header whose kid is a path", "access", sign(header(T, kid="../../key"), A), "malformed")
case("a header whose kid is long", "access", sign(header(T, kid="k" * 129), A), "malformed")
case("a header whose kid is a number", "access", sign(header(T, kid=7), A), "malformed")
case("a header without alg", "access", sign({"typ": T, "kid": KID}, A), "malformed")
case("an unknown kid", "access", sign(header(T, kid="unknown"), A), "unknown_key")
case("the kid of a key for encryption", "access", sign(header(T, kid=jwk(OTHER)["kid"]), A, OTHER), "unknown_key")
case("the kid of a key of 1024 bits", "access", sign(header(T, kid=jwk(SMALL)["kid"]), A, SMALL), "unknown_key")
case("a critical header", "access", sign(header(T, crit=["b64"], b64=False), A), "critical")
case("an empty critical header", "access", sign(header(T, crit=[]), A), "critical")
case("a header that points at another key", "access", sign(header(T, jku="https://evil.example", jwk=jwk(OTHER)), A, OTHER), "signature")
for alg in ("none", "None", "NONE", "", "rs256", "RS384", "PS256", "ES256", "HS256"):
    case(f"alg {alg!r} over a good signature", "access", sign(header(T, alg=alg), A), "algorithm")
case("alg none without a signature", "access", f'{b64(json.dumps(header(T, alg="none")).encode())}.{p}.', "algorithm")
public = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
hs = f'{b64(json.dumps(header(T, alg="HS256")).encode())}.{p}'
case("HS256 with the public key as the secret", "access", f"{hs}.{b64(hmac.digest(public, hs.encode(), 'sha256'))}", "algorithm")
case("an empty signature", "access", f"{h}.{p}.", "signature")
case("a signature of another key", "access", sign(header(T), A, OTHER), "signature")
case("a signature over another payload", "access", f"{h}.{b64(json.dumps({**A, 'sub': 'admin'}).encode())}.{s}", "signature")
case("RS384 called RS256", "access", sign(header(T), A, algorithm=hashes.SHA384()), "signature")
case("a short signature", "access", f"{h}.{p}.{s[:-6]}", "signature")
case("a payload that is not JSON", "access", sign(header(T), "}"), "claims")
case("a payload that is a list", "access", sign(header(T), [A]), "claims")
case("a payload with more after it", "access", sign(header(T), json.dumps(A) + "{}"), "claims")
case("a payload with sub twice", "access", sign(header(T), json.dumps(A)[:-1] + ',"sub":"admin"}'), "claims")
case("a payload with an unknown member twice, deep down", "access", sign(header(T), json.dumps(A)[:-1] + ',"x":[{"y":1,"y":2}]}'), "claims")
case("a payload that nests without end", "access", sign(header(T), json.dumps(A)[:-1] + ',"x":' + "[" * 1000 + "]" * 1000 + "}"), "claims")
case("a token of 8193 bytes", "access", "a" * 8193, "too_long")
case("a token of 8192 bytes", "access", "a" * 8192, "malformed")

print(json.dumps({"jwks": JWKS, "cases": cases}, indent=1, ensure_ascii=True))
