#!/usr/bin/env python3
"""Writes pow/vectors.json: what every solver of the LIME v1 rule must find, found by another implementation.

A case has `text`, `bits`, `start`, `attempts`, and `nonce`: the first of start..start + attempts that solves the text,
or null when none of them does.
"""

import base64
import hashlib
import json
from itertools import cycle
from pathlib import Path

VECTORS = Path(__file__).resolve().parent.parent / "vectors.json"
NONCE_END = 2**53

# Just before the number of digits grows, and from the start.
BEFORE_MORE_DIGITS = [0, 3, 95, 990, 9_997, 99_900, 999_999, 9_999_950, 99_999_900, 999_999_999_998]


def leading_zero_bits(text: str, nonce: int) -> int:
    digest = hashlib.sha256(b"lime:pow:v1\0" + text.encode("ascii") + b"\0" + str(nonce).encode("ascii")).digest()
    return 256 - int.from_bytes(digest, "big").bit_length()


def first_nonce(text: str, bits: int, start: int, attempts: int) -> int | None:
    nonces = range(start, start + attempts)
    return next((nonce for nonce in nonces if leading_zero_bits(text, nonce) >= bits), None)


def text_of(length: int) -> str:
    """Letters that differ from each other, so that no two lengths share a block."""
    return "".join(chr(ord("!") + (at * 7 + length) % 94) for at in range(length))


def gateway_text(seed: int) -> str:
    """As the gateway writes them: its prefix and 80 bytes in base64url, 116 characters."""
    challenge = hashlib.shake_256(bytes([seed])).digest(80)
    return "lime-gw1." + base64.urlsafe_b64encode(challenge).rstrip(b"=").decode("ascii")


def cases() -> list[tuple[str, int, int, int]]:
    found = [("c", 4, 0, 1 << 20), ("c", 15, 0, 1 << 20)]
    found += [("lime-vector-1", 12, 0, 1 << 20), ("lime-vector-1", 16, 0, 1 << 20)]
    # Exactly enough attempts, one too few, none; the solution itself, and from the one after it.
    found += [("c", 15, 0, 110_784), ("c", 15, 0, 110_783), ("c", 15, 110_783, 1), ("c", 15, 110_784, 1000)]
    found += [("c", 0, 7, 1), ("c", 0, 0, 0), ("c", 64, 0, 2000), ("c", 33, 998, 5)]
    # Challenges of the gateway, alone and with the suffix of a part.
    for seed, suffix in enumerate(["", ".00", ".15", "", ".07", ".15"]):
        for bits in [0, 1, 7, 8, 9, 15]:
            found.append((gateway_text(seed) + suffix, bits, 0, 1 << 18))
        found.append((gateway_text(seed) + suffix, 12, 98_765, 1 << 18))
    found += [(gateway_text(0), 16, 0, 1 << 20), (gateway_text(1) + ".00", 17, 0, 1 << 20)]
    # Every remainder of the prefix after whole blocks, with nonces that grow on the way.
    starts = cycle(BEFORE_MORE_DIGITS)
    found += [(text_of(length), 8, next(starts), 1500) for length in [*range(1, 130), 255, 256, 499, 511, 512]]
    # Where digits and padding just fit a block or no longer do: 55 bytes are the most one takes.
    for remainder in range(38, 64):
        for start in BEFORE_MORE_DIGITS:
            found.append((text_of(remainder + 51), 5, start, 40))
    # The first few nonces after each start, one by one: no lane may be taken for another.
    found += [(text_of(116), 2, start, attempts) for start in range(13) for attempts in range(1, 7)]
    found += [(text_of(119), 3, start, 9) for start in range(90, 111)]
    # The largest nonces that are exact in JavaScript.
    found += [(gateway_text(2), 8, NONCE_END - 3000, 3000), (gateway_text(3) + ".15", 11, 10**15 - 1001, 20_000)]
    found += [(gateway_text(4), 0, NONCE_END - 1, 1), (gateway_text(4), 20, NONCE_END - 5, 5)]
    return found


def main() -> None:
    lines = []
    for text, bits, start, attempts in cases():
        nonce = first_nonce(text, bits, start, attempts)
        lines.append(json.dumps({"text": text, "bits": bits, "start": start, "attempts": attempts, "nonce": nonce}))
    VECTORS.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="ascii")


if __name__ == "__main__":
    main()
