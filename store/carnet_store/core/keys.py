"""Ed25519 by one strict rule, DSSE envelopes, and the names of keys. Pure: seeds and bytes come in, bytes go out.

A signature is valid when all of this holds, and it is the same for every implementation (`docs/format.md`):

* the public key A is a canonical encoding of a point of prime order (not small-order, not mixed-order);
* S < L;
* the encoding of S*B - h*A equals R byte for byte (so R is canonical, too), and R is not the identity.

libsodium checks S < L, a canonical and not small-order key, and a not small-order R. It does not check that the key is
free of a small-order component; and whether it compares R byte for byte or only up to a small-order component differs
between its versions. Both gaps are closed here: the key is checked once and remembered, R only where the library at
hand is found to be lax. PyNaCl is loaded at the first use, so that a command which checks nothing need not wait for it.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

from carnet_store.errors import CarnetError, Invalid, Untrusted

SEED_BYTES: Final = 32
PUBLIC_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
SIGNATURE_TEXT: Final = 88  # characters of base64
ENVELOPE_LIMIT: Final = 1 << 20  # bytes of an encoded envelope; more is refused unread

_SPKI_PREFIX: Final = bytes.fromhex("302a300506032b6570032100")  # DER of SubjectPublicKeyInfo, up to the raw key
# A signature that a cofactored check accepts and the strict rule refuses: R = r*B + (a point of order 8).
_LAX_KEY: Final = bytes.fromhex("c320c300d5806551d9754a7eb7c4907b2759949b4cb299a4cfa408abe67be5e7")
_LAX_SIGNATURE: Final = bytes.fromhex(
    "0b750221609c8a6ce05664f0149daa91d58702f5e1b531797d398eab13dd437d"
    "5e6295ba36d0a33ab896c9d7f634b3585ac92930e9efd8a34a17cad984cf0705"
)
_LAX_MESSAGE: Final = b"torsioned R"
_TWO_THREADS_FROM: Final = 64  # signatures; below that starting a thread costs more than it saves

Signed = tuple[bytes, bytes, bytes]
"""What `verify` takes, as one value: (public key 32, signature 64, message)."""


class Signer:
    """A private key ready to sign. `public` is its raw 32 bytes; the secret is never shown, compared or pickled."""

    __slots__ = ("_secret", "public")

    def __init__(self, seed: bytes) -> None:
        """Expand a 32-byte seed. Raises ValueError for any other length."""
        if len(seed) != SEED_BYTES:
            raise ValueError(f"an Ed25519 seed has {SEED_BYTES} bytes, not {len(seed)}")
        from nacl.bindings import crypto_sign_seed_keypair

        public, secret = crypto_sign_seed_keypair(bytes(seed))
        self.public: Final[bytes] = public
        self._secret: Final[bytes] = secret

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of `message`."""
        from nacl.bindings import crypto_sign

        return crypto_sign(message, self._secret)[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        return f"Signer({fingerprint(self.public)})"

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a Signer holds a secret and is not pickled or copied")


def public_key(seed: bytes) -> bytes:
    """Return the raw 32-byte public key of a 32-byte seed."""
    return Signer(seed).public


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the 64-byte signature of `message` by a 32-byte seed. To sign often keep a `Signer`, twice as fast."""
    return Signer(seed).sign(message)


@lru_cache(maxsize=8192)
def is_public_key(public: bytes) -> bool:
    """Say whether 32 bytes are a canonical point of prime order: the only keys that may ever verify anything.

    Raises CarnetError where libsodium was built without the function that tells.
    """
    from nacl import bindings

    if not bindings.has_crypto_core_ed25519:
        raise CarnetError(
            "This PyNaCl uses a minimal libsodium, which cannot tell a sound public key from a crafted one.",
            "install PyNaCl from its wheel: pip install --force-reinstall pynacl",
        )
    return len(public) == PUBLIC_BYTES and bindings.crypto_core_ed25519_is_valid_point(public)


def verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether 64 bytes are the strict signature of `message` by a raw public key. Never raises for bad bytes."""
    if len(signature) != SIGNATURE_BYTES or len(public) != PUBLIC_BYTES:
        return False
    return is_public_key(public) and _checker()(public, signature, message)


def verify_many(items: Sequence[Signed]) -> int | None:
    """Verify a batch, on two threads where it pays (libsodium runs outside the interpreter lock).

    Returns the index of the first signature that does not hold, or None when all do.
    """
    if len(items) < _TWO_THREADS_FROM:
        return _first_bad(items, 0, len(items))
    _checker()  # load the library before two threads do
    middle = len(items) // 2
    late: list[int | Exception | None] = []

    def second_half() -> None:
        try:
            late.append(_first_bad(items, middle, len(items)))
        except Exception as error:  # handed to the caller's thread below
            late.append(error)

    thread = threading.Thread(target=second_half, name="carnet-verify", daemon=True)
    thread.start()
    try:
        early = _first_bad(items, 0, middle)
    finally:
        thread.join()
    if early is not None:
        return early
    outcome = late[0]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _first_bad(items: Sequence[Signed], start: int, stop: int) -> int | None:
    for index in range(start, stop):
        if not verify(*items[index]):
            return index
    return None


@cache
def _checker() -> Callable[[bytes, bytes, bytes], bool]:
    """Return the library's check, with the comparison of R made strict where the library at hand is lax."""
    from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign_open
    from nacl.exceptions import BadSignatureError

    def library(public: bytes, signature: bytes, message: bytes) -> bool:
        try:
            crypto_sign_open(signature + message, public)
        except BadSignatureError:
            return False
        return True

    def library_and_r(public: bytes, signature: bytes, message: bytes) -> bool:
        # With A of prime order, S*B - h*A is of prime order; an R that equals it up to a small-order component and is
        # itself canonical and of prime order equals it exactly.
        return crypto_core_ed25519_is_valid_point(signature[:32]) and library(public, signature, message)

    return library_and_r if library(_LAX_KEY, _LAX_SIGNATURE, _LAX_MESSAGE) else library


# --- names of keys ----------------------------------------------------------------------------------------------------


def person_id(first_public: bytes) -> str:
    """Return a person's id: SHA-256, 64 hex, of the raw 32 bytes of that person's first public key."""
    return hashlib.sha256(first_public).hexdigest()


def fingerprint(public: bytes) -> str:
    """Return the key as `ssh-keygen -l` shows it: `SHA256:` and 43 characters of base64."""
    digest = hashlib.sha256(_ssh_blob(public)).digest()
    return "SHA256:" + binascii.b2a_base64(digest, newline=False).rstrip(b"=").decode()


def openssh_line(public: bytes, comment: str = "") -> str:
    """Return the public key as a line of `authorized_keys`: `ssh-ed25519 AAAA... comment`."""
    return " ".join(["ssh-ed25519", to_base64(_ssh_blob(public)), *comment.split()])


def key_id(public: bytes) -> str:
    """Return the DSSE keyid: SHA-256, 64 hex, of the key as SubjectPublicKeyInfo in DER."""
    return hashlib.sha256(_SPKI_PREFIX + public).hexdigest()


def _ssh_blob(public: bytes) -> bytes:
    kind = b"ssh-ed25519"
    return b"".join(len(part).to_bytes(4, "big") + part for part in (kind, public))


# --- base64 and DSSE --------------------------------------------------------------------------------------------------


def to_base64(data: bytes) -> str:
    """Return standard base64 with padding and without line breaks."""
    return binascii.b2a_base64(data, newline=False).decode()


def from_base64(text: str) -> bytes:
    """Return the bytes of base64 that equals its own re-encoding. Raises ValueError for any other spelling of them."""
    try:
        data = binascii.a2b_base64(text.encode("ascii"))
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64") from error
    if to_base64(data) != text:
        raise ValueError("base64 in another spelling than its canonical one")
    return data


def pae(payload_type: str, payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding: the bytes that are signed for a payload of this type."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A DSSE envelope with exactly one signer. Not yet trusted: `open_envelope` is what checks it."""

    payload_type: str
    payload: bytes
    keyid: str
    signature: bytes

    def value(self) -> dict[str, Any]:
        """Return the envelope as JSON values with keys in sorted order, as it is put into a change."""
        return {
            "payload": to_base64(self.payload),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": self.keyid, "sig": to_base64(self.signature)}],
        }

    def encode(self) -> bytes:
        """Return the envelope as canonical JSON: sorted keys, no white space, no final newline."""
        return json.dumps(self.value(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def envelope_from_value(value: object) -> Envelope:
    """Read an envelope from JSON values. Raises Invalid for any form that `Envelope.value` does not write."""
    try:
        match value:
            case {
                "payload": str(payload),
                "payloadType": str(kind),
                "signatures": [{"keyid": str(keyid), "sig": str(sig), **more_of_one}],
                **more,
            } if not more and not more_of_one:
                found = Envelope(kind, from_base64(payload), keyid, from_base64(sig))
                if len(found.signature) == SIGNATURE_BYTES and _is_hex64(keyid) and _is_media_type(kind):
                    return found
    except ValueError as error:
        raise Invalid(f"A DSSE envelope is malformed: {error}.") from error
    raise Invalid("A DSSE envelope must hold payload, payloadType and one signature (keyid, sig), nothing else.")


def decode_envelope(data: bytes) -> Envelope:
    """Read an envelope from canonical JSON. Raises Invalid when malformed, over 1 MiB, or spelled in another way."""
    if len(data) > ENVELOPE_LIMIT:
        raise Invalid(f"A DSSE envelope of {len(data)} bytes is larger than the limit of {ENVELOPE_LIMIT}.")
    try:
        envelope = envelope_from_value(json.loads(data))
    except (ValueError, RecursionError) as error:
        raise Invalid("A DSSE envelope is not JSON.") from error
    if envelope.encode() != data:
        raise Invalid("A DSSE envelope is not in canonical form.")
    return envelope


def sign_envelope(signer: Signer, payload_type: str, payload: bytes) -> Envelope:
    """Sign `payload` as DSSE. Raises ValueError when `payload_type` is not a media type in printable ASCII."""
    if not _is_media_type(payload_type):
        raise ValueError(f"not a payload type: {payload_type!r}")
    return Envelope(payload_type, payload, key_id(signer.public), signer.sign(pae(payload_type, payload)))


def open_envelope(envelope: Envelope, payload_type: str, public: bytes) -> bytes:
    """Return the payload if it is of this type and signed by this key. Raises Untrusted, saying which fails."""
    if envelope.payload_type != payload_type:
        raise Untrusted(f"A signed statement is of type {envelope.payload_type}, where {payload_type} is needed.")
    if envelope.keyid != key_id(public):
        raise Untrusted(f"A signed statement names another key than {fingerprint(public)}.")
    if not verify(public, envelope.signature, pae(payload_type, envelope.payload)):
        raise Untrusted(f"A signature by {fingerprint(public)} does not hold.")
    return envelope.payload


def _is_hex64(text: str) -> bool:
    return len(text) == 64 and not text.strip("0123456789abcdef")


def _is_media_type(text: str) -> bool:
    return 3 <= len(text) <= 200 and text.isascii() and "/" in text and all("!" <= char <= "~" for char in text)
