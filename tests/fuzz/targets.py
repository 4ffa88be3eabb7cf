"""Every target by name. Each is a module with `seeds()`, `mutated(data, rng)`, `fuzz_one(data)`, which says whether
there was an answer, and INSTRUMENTED, the packages whose branches lead the search."""

import importlib

NAMES = ("photo", "heic", "dataset", "mask", "coco", "label_studio", "tables", "archive", "manifest", "golden",
         "request")


def target(name):
    """The module of a target."""
    return importlib.import_module(f"tests.fuzz.{name}")
