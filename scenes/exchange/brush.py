"""Label Studio's brush strokes: a stream of bits that holds the RGBA values of an image, run by run.

The stream: 32 bits, how many values; 5 bits, bits of a value less one; four times 4 bits, four sizes of lengths less
one; then runs: a bit that says whether one value is repeated, 2 bits that choose the size, the length less one in that
many bits, and the value once, or as many values as the length says. The editor packs it with @thi.ng/rle-pack; a pixel
belongs to a region where its alpha is not 0.
"""

import numpy as np

from scenes.exchange.source import Refused

VALUE_BITS = 8
LENGTH_BITS = (3, 4, 8, 16)
_CHANNELS = 4
# Edges are drawn smooth: half covered is covered.
_COVERED = 128


def decode(stream, size):
    """Pixels of a stream, a list of bytes, in an image of size (width, height): bool (H, W). Raises Refused."""
    try:
        bits = np.unpackbits(np.array(stream, dtype=np.uint8))
        values = _values(bits, size[0] * size[1] * _CHANNELS)
    except (IndexError, OverflowError, TypeError, ValueError) as error:
        raise Refused("bad_brush", f"the strokes of a brush cannot be read: {error}") from error
    return values.reshape(size[1], size[0], _CHANNELS)[..., 3] >= _COVERED


def _values(bits, expected):
    text = bits.tobytes().translate(bytes.maketrans(b"\0\1", b"01"))
    at = 0

    def read(count):
        nonlocal at
        if at + count > len(text):
            raise ValueError("it ends before its time")
        at += count
        return int(text[at - count:at], 2)

    total, value_bits = read(32), read(5) + 1
    sizes = [read(4) + 1 for _ in range(4)]
    if total != expected or value_bits != VALUE_BITS:
        raise ValueError(f"it holds {total} values of {value_bits} bits; the image has {expected} of {VALUE_BITS}")
    values = np.zeros(total, np.uint8)
    start = 0
    while start < total:
        repeated = read(1)
        end = start + 1 + read(sizes[read(2)])
        if end > total:
            raise ValueError("a run is longer than the image")
        if repeated:
            values[start:end] = read(VALUE_BITS)
        else:
            at += (end - start) * VALUE_BITS
            if at > len(text):
                raise ValueError("it ends before its time")
            values[start:end] = np.packbits(bits[at - (end - start) * VALUE_BITS:at])
        start = end
    return values


def encode(region):
    """The stream of a bool (H, W): list of bytes, 255 in all channels within, 0 outside."""
    flat = region.ravel()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
    lengths = np.diff(np.concatenate([starts, [flat.size]])) * _CHANNELS
    pieces = [f"{flat.size * _CHANNELS:032b}", f"{VALUE_BITS - 1:05b}", *(f"{size - 1:04b}" for size in LENGTH_BITS)]
    for value, length in zip(flat[starts].tolist(), lengths.tolist(), strict=True):
        while length:
            choice = next((k for k, size in enumerate(LENGTH_BITS) if length <= 1 << size), len(LENGTH_BITS) - 1)
            part = min(length, 1 << LENGTH_BITS[choice])
            pieces.append(f"1{choice:02b}{part - 1:0{LENGTH_BITS[choice]}b}{255 * value:08b}")
            length -= part
    text = "".join(pieces)
    return np.packbits(np.frombuffer(text.encode(), np.uint8) - ord("0")).tolist()
