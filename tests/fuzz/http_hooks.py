"""What schemathesis sends as a photo: real ones of every kind beside its own bytes, which are seldom any. Loaded by
`st`, which SCHEMATHESIS_HOOKS tells of this module."""

import random
from functools import cache
from pathlib import Path

import schemathesis

from tests.fuzz import heic, photo

SAMPLES = Path(__file__).resolve().parents[2] / "deploy" / "samples"


@cache
def photos():
    """Small pictures without a sheet, damaged ones, and samples that are measured: list[bytes]."""
    whole = photo.seeds() + heic.seeds()
    rng = random.Random(4)
    measured = [path.read_bytes() for path in sorted(SAMPLES.glob("*.jpg"))]
    return whole + [photo.mutated(one, rng) for one in whole] + measured * 6


@schemathesis.hook
def map_body(context, body):
    """The body as it is, or with another photo in place of the bytes that stand for one."""
    if isinstance(body, dict) and "photo" in body:
        chosen = random.Random(repr(sorted(body.items()))).randrange(3 * len(photos()))
        if chosen < 2 * len(photos()):
            return body | {"photo": photos()[chosen % len(photos())]}
    return body
