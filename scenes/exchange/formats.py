"""What every format gives and takes."""

from dataclasses import dataclass, field
from pathlib import Path

from scenes.document import SHEET, Category
from scenes.exchange.regions import ClassNames


@dataclass(frozen=True)
class Options:
    """What a reader is told beside its source. images: folder of the images, or None: where the format has them.
    classes: what names of regions mean."""

    images: Path | None = None
    classes: ClassNames = field(default_factory=lambda: ClassNames({}))


@dataclass(frozen=True)
class Source:
    """What a reader found. items: list[Incoming]. problems: list[Problem] of entries that make no item. category: of
    the keypoints."""

    items: list
    problems: list
    category: Category = SHEET
