"""Tokens, signed by our own few lines over hmac: no code is shared with the server."""

import base64
import hashlib
import hmac
import json
import time

SECRET = "a-secret-for-client-tests-0123456789"
"""The HS256 secret of every server that these tests start."""


def sign(claims: dict[str, object], secret: str = SECRET) -> str:
    """A token with these claims; those that are None are left out."""
    stated = {name: value for name, value in claims.items() if value is not None}
    header = b'{"alg":"HS256","typ":"JWT"}'
    signed = f"{_encoded(header)}.{_encoded(json.dumps(stated).encode())}"
    tag = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_encoded(tag)}"


def workspace_token(user: str, **claims: object) -> str:
    """A user's token for the workspace surface of `acme`, good for an hour unless `claims` say otherwise."""
    return sign({"userId": user, "workspaces": ["acme"], "exp": seconds() + 3600, **claims})


def product_token(user: str, **claims: object) -> str:
    """A user's token for the product surface, as its documents have it: user, email, end."""
    return sign({"userId": user, "email": f"{user}@example.com", "exp": seconds() + 3600, **claims})


def seconds() -> int:
    """Now, in whole seconds, as tokens count."""
    return int(time.time())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
