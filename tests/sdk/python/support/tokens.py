"""Tokens as an application's backend would issue them, and as an attacker would."""

import base64
import hashlib
import hmac
import json
import time

from .node import SECRET


def sign(claims: dict, secret: str = SECRET) -> str:
    """A token with these claims, signed with HS256."""
    unsigned = f'{_part({"alg": "HS256", "typ": "JWT"})}.{_part(claims)}'
    signature = hmac.new(secret.encode(), unsigned.encode(), hashlib.sha256).digest()
    return f"{unsigned}.{_base64url(signature)}"


def in_seconds(seconds: int) -> int:
    """Seconds since 1970, so many from now."""
    return int(time.time()) + seconds


def _part(value: dict) -> str:
    return _base64url(json.dumps(value).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
