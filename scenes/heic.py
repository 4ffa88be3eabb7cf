"""HEIC files looked through before their decoder has them.

pi-heif 1.4 makes text of what a file calls its items without a look at whether it is any, and takes the whole process
with it where it is none: a damaged photo would end a folder of others, or a worker of the service.
"""

_LEAST_BOX = 8  # bytes: size and kind


def is_box_file(head):
    """Whether bytes begin a file of ISO boxes, as HEIC and AVIF are. head: 12 bytes or more."""
    return head[4:8] == b"ftyp"


def check_item_names(data):
    """Raises ValueError where a kind, name or type of content of an item (ISO/IEC 14496-12, 8.11.6) is no UTF-8. data:
    bytes of a file of boxes, damaged or not."""
    for kind, begin, end in _boxes(data, 0, len(data)):
        if kind != b"meta":
            continue
        for inner, start, stop in _boxes(data, begin + 4, end):
            if inner == b"iinf":
                counted = 2 if data[start:start + 1] == b"\0" else 4
                _check_entries(data, start + 4 + counted, stop)


def _check_entries(data, begin, end):
    for kind, start, stop in _boxes(data, begin, end):
        if kind != b"infe":
            continue
        version = data[start] if start < stop else 0
        # Version and flags, the item's number, and the index of what protects it.
        texts = data[start + 4 + (4 if version == 3 else 2) + 2:stop]
        try:
            texts.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"an item of it is called {texts[:40]!r}, which is no text") from error


def _boxes(data, begin, end):
    """(kind, begin, end) of the content of every box from one place to another; of one that is cut short, what is
    there."""
    while begin + _LEAST_BOX <= end:
        size, kind, content = int.from_bytes(data[begin:begin + 4]), data[begin + 4:begin + 8], begin + _LEAST_BOX
        if size == 1:
            size, content = int.from_bytes(data[content:content + 8]), content + 8
        stop = min(begin + size, end) if size else end
        yield kind, content, stop
        if stop < content:  # a size that is none
            return
        begin = stop
