"""An outside issuer of tokens, made by joserfc, which shares no code with the service."""

import base64
import hmac
import json
import os
import time

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

ISSUER = "https://issuer.example"
AUDIENCE = "user-service"
ALGORITHMS = ["EdDSA", "ES256", "RS256", "HS256"]


def make_key(algorithm, kid):
    options = {"kid": kid, "alg": algorithm, "use": "sig"}
    return {
        "EdDSA": lambda: OKPKey.generate_key("Ed25519", options),
        "ES256": lambda: ECKey.generate_key("P-256", options),
        "RS256": lambda: RSAKey.generate_key(2048, options),
        "HS256": lambda: OctKey.generate_key(256, options),
    }[algorithm]()


def make_token(key, algorithm=None, header=None, **claims):
    now = int(time.time())
    body = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "reporting", "iat": now, "exp": now + 600, "scope": "users:read",
        **claims}
    body = {name: value for name, value in body.items() if value is not None}
    algorithm = algorithm or key.get("alg")
    head = {"alg": algorithm, "kid": key.kid, "typ": "at+jwt", **(header or {})}
    head = {name: value for name, value in head.items() if value is not None}
    return jwt.encode(head, body, key, algorithms=[algorithm])


def encode(part):
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def sign(key, head, claims):
    """Returns a token of exactly these texts, with a valid signature."""
    signed = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (head, claims))
    tag = hmac.digest(key.raw_value, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(tag).decode().rstrip('=')}"


def write_keys(path, keys):
    # The file is replaced atomically, because the service may read it meanwhile.
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({
        "keys": [key.as_dict(private=isinstance(key, OctKey)) for key in keys]}))
    temporary.chmod(0o600)
    os.replace(temporary, path)
