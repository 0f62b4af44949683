"""Which objects the record refers to: found in the lines themselves, so that an increment asks for what its own events name.

A reference is an object of JSON with a `sha256`: a file, a pack, a command's output. What stands under `digest` or `digests` names bytes that may
never have been kept (a dataset of a terabyte); it goes along where it is held and is not missed where it is not.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_LOOSE: Final = ("digest", "digests")


@dataclass(slots=True)
class References:
    """What was found so far: `firm` maps digests to sizes in bytes (0 where the record does not say), `loose` may not be held."""

    firm: dict[str, int] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)

    def watch(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the lines unchanged and note what each refers to."""
        for line in lines:
            if b'"sha256":"' in line or b'"dsse":[' in line:
                self.note(line)
            yield line

    def note(self, line: bytes) -> None:
        """Note what one event's line refers to, inside signed payloads too."""
        for row in json.loads(line)[3]:
            if row is None:
                continue
            value = row[1]
            if isinstance(value, dict) and isinstance(value.get("dsse"), list):
                value = [_payload(one) for one in value["dsse"][:1]]
            self._walk(value, loose=False)

    def _walk(self, value: Any, *, loose: bool) -> None:
        if isinstance(value, list):
            for inner in value:
                self._walk(inner, loose=loose)
        elif isinstance(value, dict):
            digest = value.get("sha256")
            if isinstance(digest, str) and _DIGEST.match(digest):
                size = value.get("size")
                if loose:
                    self.loose.add(digest)
                else:
                    self.firm[digest] = max(self.firm.get(digest, 0), size if isinstance(size, int) and size > 0 else 0)
            for key, inner in value.items():
                self._walk(inner, loose=loose or key in _LOOSE)


def _payload(envelope: Any) -> Any:
    """Return what a signed envelope carries, None where that is no JSON: such a change counts for nothing."""
    try:
        return json.loads(binascii.a2b_base64(envelope["payload"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
