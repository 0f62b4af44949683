"""What may be a secret in another tool's record is not taken over: the record is signed and travels.

Rules: the name decides, not the look of a value; what was left out stays visible as `NOT_TAKEN`, so that nobody takes it for empty.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

NOT_TAKEN: Final = "(not taken)"
"""Stands where a value was left out."""
DEEPEST: Final = 100
"""Levels of another tool's JSON that are taken over."""

_SECRET = re.compile(
    r"secret|passw|passphrase|pwd|credential|authorization|bearer|connection_?string"
    r"|(?:api|access|account|private|shared|signing|encryption|ssh)[_.\- ]?key(?!s?[_.\- ]?(?:name|id|path|file)s?$)"
    r"|(?:^|[_.\- ]|auth|access|api|bearer|refresh|session)token$",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"(?:pad|eos|bos|unk|sep|cls|mask|start|end|stop|image|audio|special|decoder_start)[_.\- ]?token$", re.IGNORECASE
)
_USER = re.compile(r"://[^/\s?#\"'<>]*@")
_QUERY = re.compile(r"([?&;]([A-Za-z0-9_.\-]{1,60})=)([^&;\s\"'<>#]+)")
_SIGNED = re.compile(r"^(?:sig|signature|x-(?:amz|goog)-(?:signature|credential|security-token))$", re.IGNORECASE)


def secret(name: str) -> bool:
    """Return whether a value of this name is one that nobody should pass on (`max_tokens`, `pad_token` are not)."""
    return bool(_SECRET.search(name)) and not _HARMLESS.search(name)


def address(text: str) -> str:
    """Return text with the user info of its addresses (`https://ana:pw@host/`) left out, and `***` for their secret parameters."""
    if "://" in text:
        text = _USER.sub("://", text)
    return _QUERY.sub(_parameter, text) if "=" in text else text


def tidy(value: Any, depth: int = DEEPEST) -> Any:
    """Return JSON without secrets: values under a secret's name, `{"name": ..., "value": ...}` pairs of one, user info of addresses."""
    if isinstance(value, str):
        return address(value)
    if not isinstance(value, dict | list):
        return value
    if depth <= 0:
        return "(nested too deep)"
    if isinstance(value, list):
        return [tidy(inner, depth - 1) for inner in value]
    named = value.get("name", value.get("key"))
    pair = isinstance(named, str) and "value" in value and secret(named)
    return {
        str(key): NOT_TAKEN if hides(str(key), inner) or (pair and key == "value") else tidy(inner, depth - 1)
        for key, inner in value.items()
    }


def hides(name: str, value: Any) -> bool:
    """Return whether this value is to be left out: text under a secret's name; numbers and switches are no secrets."""
    return isinstance(value, str) and value != "" and secret(name)


def words(args: Sequence[str]) -> list[str]:
    """Return a command line's words with the values of `--token X`, `--token=X` and `TOKEN=X` left out."""
    made: list[str] = []
    hide = False
    for arg in args:
        flag, equals, value = arg.partition("=")
        if hide and not arg.startswith("-"):
            made.append(NOT_TAKEN)
        elif equals and value and secret(flag.lstrip("-")):
            made.append(f"{flag}={NOT_TAKEN}")
        else:
            made.append(address(arg))
        hide = arg.startswith("-") and not equals and secret(arg.lstrip("-"))
    return made


def _parameter(found: re.Match[str]) -> str:
    return f"{found[1]}***" if secret(found[2]) or _SIGNED.match(found[2]) else found[0]
