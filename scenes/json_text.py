"""JSON that somebody else wrote: as Python reads it, without what breaks the programs that walk over it.

Python's reader takes documents nested nearly as deep as its stack, which nothing that looks into them then survives,
and whole numbers that no float can hold, at which NumPy stumbles.
"""

import json

# What this project or the tools that it knows write is nested 8 deep.
DEEPEST = 50
LARGEST = 2**1000  # of whole numbers, somewhat below the largest float


def parsed(text):
    """What a JSON text holds. Raises ValueError, json.JSONDecodeError among it, for a text that is none, for one nested
    more than DEEPEST deep and for numbers of thousands of digits."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(_too_deep()) from error
    check_depth(value)
    return value


def check_depth(value):
    """Raises ValueError for a value of nested lists and dicts that are more than DEEPEST deep."""
    waiting = [(value, 1)]
    while waiting:
        holder, depth = waiting.pop()
        if depth > DEEPEST and isinstance(holder, (dict, list)):
            raise ValueError(_too_deep())
        for inner in holder.values() if isinstance(holder, dict) else holder if isinstance(holder, list) else ():
            if isinstance(inner, (dict, list)):
                waiting.append((inner, depth + 1))


def _too_deep():
    return f"lists and objects are nested more than {DEEPEST} deep, which no file of this kind is: is it the right one?"


def is_number(value):
    """Whether value is a number of JSON (NaN and infinity, which Python reads and JSON does not know, too) that a float
    can hold."""
    return isinstance(value, float) or (is_whole(value) and abs(value) <= LARGEST)


def is_whole(value):
    """Whether value is a whole number of JSON."""
    return isinstance(value, int) and not isinstance(value, bool)
