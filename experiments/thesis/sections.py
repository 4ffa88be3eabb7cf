"""What the report is made of: a section for each finding of the thesis, told without knowing how it is drawn."""

from collections.abc import Callable
from dataclasses import dataclass, field

REPRODUCED, NOT_REPRODUCED, UNTOLD = "reproduced", "not reproduced", "cannot be told"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, UNTOLD)


@dataclass(frozen=True)
class Verdict:
    """word: of VERDICTS. evidence: one or two sentences with the figures that it rests on, or why it cannot be told."""

    word: str
    evidence: str


@dataclass(frozen=True)
class Table:
    """name: of its CSV file. caption: can be understood alone. frame: pandas.DataFrame, a column a heading, cells as
    they are to be shown (str) or numbers; None where there is none. published: names of the columns that hold what the
    thesis prints, marked so."""

    name: str
    caption: str
    frame: object
    published: tuple = ()


@dataclass(frozen=True)
class Drawing:
    """name: of its PNG file. caption: can be understood alone. draw: function without arguments, gives a
    matplotlib Figure. alt: what it shows, for who cannot see it."""

    name: str
    caption: str
    draw: Callable
    alt: str


@dataclass(frozen=True)
class Section:
    """name: on the command line. where: in the thesis, "Table 5, figure 36", or "" for what goes beyond it. title.
    claim: what the thesis says, in our words, or what is asked. tables, drawings: tuples of the above. verdicts: tuple
    of (finding, Verdict). notes: paragraphs, what differs and why. state: "done", "partly", "not run". scale, dates:
    of the trainings it rests on, words; "" without."""

    name: str
    where: str
    title: str
    claim: str
    tables: tuple = ()
    drawings: tuple = ()
    verdicts: tuple = ()
    notes: tuple = ()
    state: str = "done"
    scale: str = ""
    dates: str = ""


@dataclass(frozen=True)
class Report:
    """title, summary: paragraphs at the top. parts: {title of a part: list of Section}, in order. unavailable: list of
    (where in the thesis, why its value is not there). machine: words."""

    title: str
    summary: tuple
    parts: dict
    unavailable: tuple = ()
    machine: tuple = field(default=())
