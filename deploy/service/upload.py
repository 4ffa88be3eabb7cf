"""One photo out of a multipart request, into memory: nothing of it is ever written to a disk."""

import asyncio
import re
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from deploy.service.refusal import Refusal

FIELD = "photo"
OPTIONS = ("sheet", "overlay")
# What a request has beside the photo: boundaries, the headers of its parts, its options.
AROUND_BYTES = 64_000
OPTION_BYTES = 100
MAX_NAME = 200  # characters


@dataclass(frozen=True)
class Upload:
    """name: of the photo, as `plain_name` makes it. data: its bytes. options: {name: text}, those of OPTIONS that were
    sent as fields."""

    name: str
    data: bytes = field(repr=False)
    options: dict


class _InMemory(MultiPartParser):
    # 0: a file is never moved to the disk, however large it is. What arrives at all is limited before.
    spool_max_size = 0


async def read_upload(request, max_bytes, seconds):
    """The Upload of a Starlette request. Raises Refusal, and starlette.requests.ClientDisconnect.

    max_bytes: of the photo; a request that says that it is larger is refused before it is read. seconds: in which it
    must have arrived.
    """
    kind, _ = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise Refusal("bad_request", "the request is no multipart/form-data: send the photo as its field `photo`",
                      status=415)
    if _announced(request) > max_bytes + AROUND_BYTES:
        raise too_large(max_bytes)
    parser = _InMemory(request.headers, _limited(request.stream(), max_bytes), max_files=1, max_fields=len(OPTIONS),
                       max_part_size=OPTION_BYTES)
    try:
        async with asyncio.timeout(seconds):
            form = await parser.parse()
    except TimeoutError as error:
        raise Refusal("upload_timed_out", f"the photo did not arrive within {seconds:g} seconds: send a smaller one, "
                                          "or over a faster line") from error
    except MultiPartException as error:
        raise Refusal("bad_request", f"not one photo as multipart/form-data: {error.message}") from error
    # Older versions of Starlette let FormParserError through, all of them what a charset raises that decodes nothing.
    except (FormParserError, ValueError) as error:
        raise Refusal("bad_request", "the request is no well-formed multipart/form-data") from error
    return _upload_of(form, max_bytes)


def _announced(request):
    length = request.headers.get("content-length", "")
    return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else 0


async def _limited(stream, max_bytes):
    """The chunks of a stream, as long as they are no more in all than a request with so large a photo has."""
    arrived = 0
    async for chunk in stream:
        arrived += len(chunk)
        if arrived > max_bytes + AROUND_BYTES:
            raise too_large(max_bytes)
        yield chunk


def _upload_of(form, max_bytes):
    parts = form.multi_items()
    unknown = sorted({name for name, _ in parts} - {FIELD, *OPTIONS})
    photos = [value for name, value in parts if name == FIELD]
    options = {name: value for name, value in parts if name in OPTIONS}
    if unknown or len(photos) != 1 or len(options) + 1 != len(parts):
        raise Refusal("bad_request", "the request must have one field `photo`, and may have `sheet` and `overlay`, "
                                     "each once, and nothing else")
    if not isinstance(photos[0], UploadFile) or any(isinstance(value, UploadFile) for value in options.values()):
        raise Refusal("bad_request", "`photo` must be a file, with a file name, and nothing else may be one")
    # In memory, so that reading it blocks nobody; its buffer is let go at once.
    with photos[0].file as file:
        data = file.read()
    name = plain_name(photos[0].filename)
    if len(data) > max_bytes:
        raise too_large(max_bytes, name)
    return Upload(name, data, options)


def too_large(max_bytes, name=""):
    """The Refusal of a photo of more than max_bytes."""
    return Refusal("image_too_large", f"the photo's file has more than the {max_bytes / 1e6:g} MB that are taken: make "
                                      "it smaller", name)


def plain_name(name):
    """What an answer calls a file that was sent under a name: its last part, without what cannot be shown."""
    last = re.split(r"[/\\]", name or "")[-1]
    return "".join(letter for letter in last if letter.isprintable())[:MAX_NAME]
