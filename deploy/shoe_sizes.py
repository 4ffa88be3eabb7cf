"""Shoe sizes of a foot's length: EU, UK and US, approximate.

Every system counts the length of the last, the form that a shoe is made on, in units of its own: the EU in Paris points
of 2/3 cm from 0, the UK and the US in barleycorns of 1/3 inch, grown-ups' sizes from 25 barleycorns on (UK), 24 (US,
men) or 22.5 (US, women, as most shops count), and children's sizes 13 lower: child's 13 is grown-ups' 0. A last is
about two units longer than the foot that it is for, by custom 13 to 17 mm; these two units are what is taken here.
ISO 19407 (before 2023 ISO/TS 19407) tabulates the systems by foot length and calls its tables a guideline, for none of
the systems was ever fixed: makers differ by a size and more. What is computed here are the formulas, not its tables.
"""

from dataclasses import dataclass

PARIS_POINT_MM = 20 / 3
BARLEYCORN_MM = 25.4 / 3
LAST_UNITS = 2  # that a last is longer than its foot
UK_ZERO, US_MEN_ZERO, US_WOMEN_ZERO = 25, 24, 22.5  # barleycorns of last at grown-ups' size 0
CHILD_ZERO = -13  # children's size 0 in grown-ups' sizes
SMALLEST = 1  # grown-ups' size in the UK; what is smaller is a child's


@dataclass(frozen=True)
class ShoeSizes:
    """Sizes to the nearest half. is_child: UK and US sizes are children's, and us_women is None; uk and us_men are None
    too for feet that are too short for any."""

    eu: float
    uk: float | None
    us_men: float | None
    us_women: float | None
    is_child: bool

    def to_json(self) -> dict:
        """Plain dict, as the README describes it."""
        return {"eu": self.eu, "uk": self.uk, "us_men": self.us_men, "us_women": self.us_women, "child": self.is_child}


def shoe_sizes(length_mm: float) -> ShoeSizes:
    """ShoeSizes of a foot of so many millimetres from heel to toe (ISO 7250-1 foot length)."""
    eu = _half(length_mm / PARIS_POINT_MM + LAST_UNITS)
    last = length_mm / BARLEYCORN_MM + LAST_UNITS
    uk, men, women = (_half(last - zero) for zero in (UK_ZERO, US_MEN_ZERO, US_WOMEN_ZERO))
    if uk >= SMALLEST:
        return ShoeSizes(eu, uk, men, women, False)
    uk, men = (size - CHILD_ZERO if size >= CHILD_ZERO else None for size in (uk, men))
    return ShoeSizes(eu, uk, men, None, True)


def eu_sizes_in(length_mm: float) -> float:
    """How many EU sizes a difference in foot length is, to the nearest half."""
    return _half(length_mm / PARIS_POINT_MM)


def _half(size):
    return round(2 * size) / 2
