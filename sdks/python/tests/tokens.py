"""Tokens: those that nobody checks, and those that a real server does."""

import base64
import hashlib
import hmac
import itertools
import json
import time

SECRET = "a-secret-for-sdk-tests-0123456789abcdef"
"""The HS256 secret of every real server that these tests start."""
_numbers = itertools.count()


def token(user: str, expires_at: float, **claims: object) -> str:
    """A token of a user, good by this package's own clock; no two are the same."""
    body = {"userId": user, "exp": int(expires_at), "jti": str(next(_numbers)), **claims}
    signed = f"{_encoded(json.dumps({'alg': 'HS256'}).encode())}.{_encoded(json.dumps(body).encode())}"
    tag = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_encoded(tag)}"


def real_token(user: str, workspace: str, scope: str = "") -> str:
    """A token for a real server, good for an hour."""
    return token(user, time.time() + 3600, workspaces=[workspace], scope=scope)


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
