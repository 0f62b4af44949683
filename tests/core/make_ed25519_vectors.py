"""Writes `ed25519_vectors.json`: one file of signatures that every implementation of our rule must judge alike.

The arithmetic is this file's own (affine, textbook, slow), so that a mistake in an implementation cannot hide in the
vectors made with it. Most crafted cases satisfy one of the weaker equations that real libraries check: with the
cofactor, without a look at the key's order, with a lax decoding. Run it to rewrite the file; a test compares.

    python tests/core/make_ed25519_vectors.py
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SIGN = 1 << 255

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def recover_x(y: int, odd: int) -> int | None:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        return None
    return x if x % 2 == odd else (P - x) % P


def add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


def times(n: int, point: Point) -> Point:
    result = IDENTITY
    while n:
        if n & 1:
            result = add(result, point)
        point = add(point, point)
        n >>= 1
    return result


def encode(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def scalar(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def little(n: int) -> bytes:
    return n.to_bytes(32, "little")


def base_point() -> Point:
    y = 4 * pow(5, -1, P) % P
    x = recover_x(y, 0)
    assert x is not None
    return x, y


B = base_point()


def torsion() -> list[Point]:
    """The eight points of small order, the identity first, as multiples of one of order 8."""
    for y in range(2, 100):
        x = recover_x(y, 0)
        if x is not None:
            point = times(L, (x, y))
            if times(4, point) != IDENTITY:
                return [times(n, point) for n in range(8)]
    raise AssertionError("no point of order 8")


TORSION = torsion()
A_SECRET, R_SECRET = scalar(b"vectors: a"), scalar(b"vectors: r")
A_POINT, R_POINT = times(A_SECRET, B), times(R_SECRET, B)
MESSAGE = b"a signed sentence"

Case = tuple[str, bytes, bytes, bytes, bool]  # name, public, message, signature, valid


def sign_with_seed(seed: bytes, message: bytes) -> tuple[bytes, bytes]:
    """RFC 8032, 5.1.6: the public key and the signature of an honest signer."""
    digest = hashlib.sha512(seed).digest()
    secret = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | 1 << 254
    public = encode(times(secret, B))
    nonce = scalar(digest[32:], message)
    r = encode(times(nonce, B))
    return public, r + little((nonce + scalar(r, public, message) * secret) % L)


def crafted(public: bytes, r: bytes, *, message: bytes = MESSAGE, a: int = 0, nonce: int = 0) -> bytes:
    """A signature for R and A given as bytes: S = nonce + h*a."""
    return r + little((nonce + scalar(r, public, message) * a) % L)


def message_with_h_multiple_of_8(public: bytes, r: bytes) -> bytes:
    """A message for which h*T vanishes for every T of small order, so that a missing order check shows."""
    return next(m for m in (b"ground %d" % n for n in range(10_000)) if scalar(r, public, m) % 8 == 0)


def honest() -> Iterator[Case]:
    rfc = [  # RFC 8032, 7.1: TEST 1 to 3, with the signatures printed there
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2"
            "4655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aee"
            "b00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28d"
            "c027beceea1ec40a",
        ),
    ]
    for number, (seed, sentence, signature) in enumerate(rfc, 1):
        public, made = sign_with_seed(bytes.fromhex(seed), bytes.fromhex(sentence))
        assert made.hex() == signature, f"this file's arithmetic differs from RFC 8032, test {number}"
        yield f"RFC 8032 test {number}", public, bytes.fromhex(sentence), made, True
    for size in (0, 1, 111, 112, 127, 128, 129, 1023, 4096):  # around the blocks of SHA-512
        message = bytes(i % 251 for i in range(size))
        public, signature_bytes = sign_with_seed(hashlib.sha256(b"seed %d" % size).digest(), message)
        yield f"honest, message of {size} bytes", public, message, signature_bytes, True
    public = encode(A_POINT)
    yield (
        "honest, secret scalar without clamping",
        public,
        MESSAGE,
        crafted(public, encode(R_POINT), a=A_SECRET, nonce=R_SECRET),
        True,
    )


def damaged() -> Iterator[Case]:
    public, r = encode(A_POINT), encode(R_POINT)
    signature = crafted(public, r, a=A_SECRET, nonce=R_SECRET)
    for bit in (0, 1, 7, 100, 250, 254, 255, 256, 257, 300, 500, 504, 507, 508, 509, 510, 511):
        yield f"bit {bit} of the signature flipped", public, MESSAGE, flip(signature, bit), False
    for bit in (0, 1, 128, 254, 255):
        yield f"bit {bit} of the key flipped", flip(public, bit), MESSAGE, signature, False
    yield "one bit of the message flipped", public, flip(MESSAGE, 0), signature, False
    yield "message longer by a zero byte", public, MESSAGE + b"\0", signature, False
    yield "message empty", public, b"", signature, False
    yield "halves of the signature swapped", public, MESSAGE, signature[32:] + signature[:32], False
    yield "another key", sign_with_seed(bytes(32), b"")[0], MESSAGE, signature, False
    for cut in (0, 32, 63):
        yield f"signature of {cut} bytes", public, MESSAGE, signature[:cut], False
    yield "signature of 65 bytes", public, MESSAGE, signature + b"\0", False
    for cut in (0, 31):
        yield f"key of {cut} bytes", public[:cut], MESSAGE, signature, False
    yield "key of 33 bytes", public + b"\0", MESSAGE, signature, False
    yield "all zero", bytes(32), MESSAGE, bytes(64), False
    yield "all ones", b"\xff" * 32, MESSAGE, b"\xff" * 64, False


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def malleated() -> Iterator[Case]:
    public, r = encode(A_POINT), encode(R_POINT)
    s = int.from_bytes(crafted(public, r, a=A_SECRET, nonce=R_SECRET)[32:], "little")
    k = 1
    while s + k * L < 2**256:  # every other spelling of S that fits
        yield f"S + {k} L", public, MESSAGE, r + little(s + k * L), False
        k += 1
    yield "S = L, R the identity, key the identity", encode(IDENTITY), MESSAGE, encode(IDENTITY) + little(L), False
    yield "-S", public, MESSAGE, r + little(L - s), False


def small_keys() -> Iterator[Case]:
    """One signature that would fit many messages."""
    r = encode(R_POINT)
    spellings = [(f"small-order key {n}", encode(point)) for n, point in enumerate(TORSION)]
    spellings += lax_spellings("small-order key")
    for name, public in spellings:
        message = message_with_h_multiple_of_8(public, r)
        yield f"{name}, equation holds", public, message, crafted(public, r, nonce=R_SECRET), False
        yield f"{name}, R the same, S = 0", public, MESSAGE, public + bytes(32), False


def lax_spellings(name: str) -> list[tuple[str, bytes]]:
    """Encodings of small-order points that a lax decoder takes: y >= p, and minus zero for x."""
    return [
        (f"{name}, identity with x = -0", little(1 | SIGN)),
        (f"{name}, order 2 with x = -0", little(P - 1 | SIGN)),
        (f"{name}, y = p", little(P)),
        (f"{name}, y = p, odd x", little(P | SIGN)),
        (f"{name}, y = p + 1", little(P + 1)),
        (f"{name}, y = p + 1, x = -0", little(P + 1 | SIGN)),
    ]


def small_r() -> Iterator[Case]:
    public = encode(A_POINT)
    spellings = [(f"small-order R {n}", encode(point)) for n, point in enumerate(TORSION)]
    for name, r in spellings + lax_spellings("small-order R"):
        yield f"{name}, S = h*a", public, MESSAGE, crafted(public, r, a=A_SECRET), False


def mixed() -> Iterator[Case]:
    """Keys and R with a part of small order: valid for some libraries, not for others, so valid for nobody here."""
    honest_public, honest_r = encode(A_POINT), encode(R_POINT)
    for n, point in list(enumerate(TORSION))[1:]:
        r = encode(add(R_POINT, point))
        yield (
            f"torsioned R {n}, holds with the cofactor",
            honest_public,
            MESSAGE,
            crafted(honest_public, r, a=A_SECRET, nonce=R_SECRET),
            False,
        )
        public = encode(add(A_POINT, point))
        yield (
            f"torsioned key {n}, holds with the cofactor",
            public,
            MESSAGE,
            crafted(public, honest_r, a=A_SECRET, nonce=R_SECRET),
            False,
        )
        message = message_with_h_multiple_of_8(public, honest_r)
        signature = crafted(public, honest_r, message=message, a=A_SECRET, nonce=R_SECRET)
        yield f"torsioned key {n}, holds byte for byte", public, message, signature, False
        yield both_torsioned(n, point, public)


def both_torsioned(n: int, point: Point, public: bytes) -> Case:
    """R with the small-order part -h*T, so that S*B - h*(A + T) is R exactly: found by trying."""
    for part in TORSION[1:]:
        r = encode(add(R_POINT, part))
        for m in (b"both %d" % k for k in range(64)):
            if add(part, times(scalar(r, public, m) % 8, point)) == IDENTITY:
                signature = crafted(public, r, message=m, a=A_SECRET, nonce=R_SECRET)
                return f"torsioned key {n} and R, holds byte for byte", public, m, signature, False
    raise AssertionError("no message found")


def not_points() -> Iterator[Case]:
    public, r = encode(A_POINT), encode(R_POINT)
    signature = crafted(public, r, a=A_SECRET, nonce=R_SECRET)
    for y in range(P, 2**255):  # all nineteen y that are not reduced
        yield f"key with y = p + {y - P}", little(y), MESSAGE, signature, False
        yield f"R with y = p + {y - P}", public, MESSAGE, little(y) + signature[32:], False
    off_curve = [y for y in range(2, 60) if recover_x(y, 0) is None][:4]
    for y in off_curve:
        yield f"key off the curve, y = {y}", little(y), MESSAGE, signature, False
        yield f"R off the curve, y = {y}", public, MESSAGE, little(y) + signature[32:], False


def cases() -> list[Case]:
    return [*honest(), *damaged(), *malleated(), *small_keys(), *small_r(), *mixed(), *not_points()]


def document() -> str:
    rows = [
        {"name": name, "public": public.hex(), "message": message.hex(), "signature": signature.hex(), "valid": valid}
        for name, public, message, signature, valid in cases()
    ]
    return '{"cases": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]}\n"


if __name__ == "__main__":
    Path(__file__).with_name("ed25519_vectors.json").write_text(document(), encoding="utf-8")
