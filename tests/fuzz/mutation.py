"""Small changes to bytes, JSON, tables and images, of a random.Random: what a fuzzer does beside its own ways, and all
that is done without one.

Bytes alone would seldom get past a checksum or a bracket: JSON is changed as values, PNG gets its checksums back, EXIF
is built anew with wrong kinds and counts.
"""

import copy
import json
import struct
import zlib

INTERESTING = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
BEGINNING = 256  # bytes in which headers are
MOST_BYTES = 1 << 16
# What json.dumps cannot write, by the text that stands for it until it has.
UNWRITABLE = {
    "\u0001long": "9" * 5000,  # more digits than Python makes a number of
    "\u0001deep": "[" * 400 + "]" * 400,
    "\u0001deeper": "[" * 980 + "]" * 980,
    "\u0001objects": '{"a":' * 300 + "1" + "}" * 300,
}  # fmt: skip
WRONG = (
    None, True, False, 0, 1, -1, 2, 3, 4, 5, 0.5, -0.0, 1e-320, 1e308, -1e308, float("inf"), float("nan"), 2**31,
    2**63, 10**400, "", " ", ".", "..", "./.", "a/..", "/", "/etc/passwd", "../a.png", "C:\\a.jpg", "a\0b", "\ud800",
    "\u202e", "x" * 300, "x/" * 3000, "0" * 64, "1", "nan", "letter", "left", [], [[]], {}, [None], [0, 0], [1, 2, 3],
    [1e308] * 12, [10**400] * 12, {"a": 1}, {"size": [48, 64], "counts": [3072]}, {"size": [48, 64], "counts": "0"},
    *UNWRITABLE,
)  # fmt: skip
WRONG_CELLS = (
    b"", b"-1", b"1e308", b"nan", b"inf", b"1e999", b"9" * 5000, b"1_0", b'"', b"\0", b"a.jpg", b"x" * 300, b"..", b"/",
    b"=1+1", b"0x10", b"\xff", b"1,5", "\u0661".encode(),
)  # fmt: skip
EXIF_TAGS = (0x0112, 0x8769, 0x8825, 0xA005, 0x920A, 0x829A, 0xA002, 0xA003, 0xA20E, 0xA210, 0xA405, 0x010F, 0x9286)
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"


def mutated_bytes(data, rng):
    """Bytes with one to four places changed, most of them near the beginning."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(min(len(data), rng.choice((BEGINNING, MOST_BYTES))) or 1)
        span = rng.choice((1, 1, 2, 4, 8, 64, 512))
        way = rng.randrange(8)
        if way == 0:
            data[at:at + 1] = [(data[at] if data else 0) ^ 1 << rng.randrange(8)]
        elif way == 1:
            data[at:at + span] = rng.randbytes(span)
        elif way == 2:
            width, order = rng.choice("BHI"), rng.choice("<>")
            value = rng.choice(INTERESTING) % 256 ** struct.calcsize(f"={width}")
            data[at:at + struct.calcsize(f"={width}")] = struct.pack(order + width, value)
        elif way == 3:
            del data[at:at + span]
        elif way == 4:
            data[at:at] = rng.randbytes(span)
        elif way == 5:
            data[at:at] = data[at:at + span] * rng.choice((1, 2, 50))
        elif way == 6:
            other = rng.randrange(len(data) or 1)
            data[at:at + span] = data[other:other + span]
        else:
            del data[rng.randrange(len(data) or 1):]
    return bytes(data[:MOST_BYTES])


# JSON


def mutated_json(data, rng):
    """A JSON document with one to four of its values changed, or changed bytes of what is none."""
    try:
        document = {"": json.loads(data)}
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            _change(document, rng)
        text = json.dumps(document.get(""), indent=rng.choice((None, 1)))
    except (ValueError, RecursionError, OverflowError):
        return mutated_bytes(data, rng)
    for name, written in UNWRITABLE.items():
        text = text.replace(json.dumps(name), written)
    return text.encode()


def _change(document, rng):
    """Changes one value of a document, which is the only one of a dict."""
    places = list(_places(document))
    holder, key = rng.choice(places)
    way = rng.randrange(6)
    if way <= 1:
        holder[key] = copy.deepcopy(rng.choice(WRONG))  # lest a later change is one of WRONG itself
    elif way == 2:
        other, place = rng.choice(places)
        holder[key] = json.loads(json.dumps(other[place]))  # a copy, lest a value holds itself
    elif way == 3 and holder is not document:
        del holder[key]
    elif way == 4 and isinstance(holder, list):
        holder.insert(key, json.loads(json.dumps(holder[key])))
    elif way == 4:
        name = rng.choice([place for _, place in places if isinstance(place, str)])
        holder[name] = json.loads(json.dumps(holder[key]))
    elif isinstance(holder[key], (int, float)):
        holder[key] = rng.choice((-1, 0.5, 2, 1e10, 1e300)) * holder[key] + rng.choice((0, 0, 1, -1, 0.5))


def _places(document):
    """(holder, key) of every value in nested lists and dicts."""
    waiting = [document]
    while waiting:
        holder = waiting.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            yield holder, key
            if isinstance(value, (dict, list)):
                waiting.append(value)


# Tables


def mutated_table(data, rng):
    """A CSV file with cells changed, or changed bytes."""
    if rng.random() < 0.3:
        return mutated_bytes(data, rng)
    rows = [line.split(b",") for line in data.split(b"\n")]
    for _ in range(rng.choice((1, 2, 4))):
        row = rng.choice(rows)
        at = rng.randrange(len(row))
        way = rng.randrange(4)
        if way == 0:
            row[at:at + 1] = []
        elif way == 1:
            rows.insert(rng.randrange(len(rows)), list(row))
        else:
            row[at:at + 1] = [rng.choice(WRONG_CELLS)]
        row or rows.remove(row)
        rows = rows or [[b""]]
    return rng.choice((b"\n", b"\r\n", b"\r")).join(rng.choice((b",", b",", b";")).join(row) for row in rows)


# Images


def mutated_image(data, rng):
    """An image file with its bytes changed, its EXIF replaced, or both; PNG with right checksums nearly always."""
    if rng.random() < 0.3:
        data = _with_exif(data, exif(rng))
    if rng.random() < 0.8:
        data = mutated_bytes(data, rng)
    return png_with_checksums(data) if rng.random() < 0.9 else data


def exif(rng):
    """An EXIF block (TIFF, one directory and one inside it) whose entries have any kind, count and value."""
    order = rng.choice("<>")

    def directory(at):
        tags = [rng.choice(EXIF_TAGS) for _ in range(rng.choice((1, 3, 6)))]
        entries = b""
        for tag in tags:
            value = at if tag == 0x8769 and rng.random() < 0.8 else rng.choice((*INTERESTING, *range(1, 9)))
            kind = rng.choice((1, 2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 0, 99)) if tag != 0x8769 else 4
            count = 1 if tag == 0x8769 else rng.choice((1, 1, 1, 0, 2, 4, 2**31))
            entries += struct.pack(f"{order}HHII", tag, kind, count, value)
        return struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", rng.choice((0, 0, at, 8)))

    first = directory(200)
    inner = directory(8) + rng.randbytes(32)
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8) + first.ljust(192, b"\0") + inner


def _with_exif(data, block):
    if data.startswith(JPEG):
        payload = b"Exif\0\0" + block
        return JPEG + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + data[2:]
    if data.startswith(PNG):
        return data[:33] + struct.pack(">I", len(block)) + b"eXIf" + block + b"\0\0\0\0" + data[33:]
    return data


def png_with_checksums(data):
    """PNG whose chunks have the checksums that they should; anything else as it is."""
    if not data.startswith(PNG):
        return data
    fixed, at = bytearray(PNG), len(PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunk = data[at + 4:at + 8 + length]
        fixed += data[at:at + 4] + chunk + struct.pack(">I", zlib.crc32(chunk))
        at += 12 + length
    return bytes(fixed + data[at:])
