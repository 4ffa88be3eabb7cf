"""The benchmark's plots as geometry: where ticks, dots, lines and bars stand, in the pixels of a drawing.

The page's template draws them; nothing but numbers and words is decided here, so that the base install has plots.
"""

import math

from deploy.benchmark.rows import NO_PRECISION, SUBJECTS

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 330, 64, 16, 14, 46
ROW_HEIGHT, NAMES_WIDTH = 24, 250
# Okabe and Ito's colours, which can be told apart whatever one's colour vision; published rows are grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A8A00")
SHAPES = {"FP32": "circle", "BF16": "square", "FP16": "diamond", "INT8": "triangle", NO_PRECISION: "cross"}
TITLES = {"keypoints": "corners", "segmentation": "pixels", "pipeline": "whole pipeline"}
BARS = (5, 25, 50, 75, 95)  # percent, of a latency's bar


class Axis:
    """Values to places between `low` and `high` pixels, linear or logarithmic, with ticks at round values."""

    def __init__(self, values, low, high, log=False):
        least, most = min(values), max(values)
        self._low, self._high, self._log = low, high, log and least > 0
        if self._log:
            self.ticks = _log_ticks(least, most)
            self._least, self._most = (math.log(value) for value in (self.ticks[0], self.ticks[-1]))
        else:
            self.ticks = _linear_ticks(least, most)
            self._least, self._most = self.ticks[0], self.ticks[-1]

    def __call__(self, value):
        place = math.log(value) if self._log else value
        share = (place - self._least) / (self._most - self._least)
        return round(self._low + share * (self._high - self._low), 1)

    def drawn(self):
        """[(place, text)] of its ticks."""
        return [(self(tick), f"{tick:g}") for tick in self.ticks]


def _linear_ticks(least, most):
    """Three to eight round values that enclose both."""
    span = (most - least) or abs(most) * 0.1 or 1.0
    step = 10 ** math.floor(math.log10(span / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if span / (step * factor) <= 6)
    first, last = math.floor(least / step + 1e-9), math.ceil(most / step - 1e-9)
    return [round(place * step, 12) for place in range(first, max(last, first + 1) + 1)]


def _log_ticks(least, most):
    """1, 2 and 5 times powers of ten that enclose both."""
    steps = [factor * 10.0**power for power in range(math.floor(math.log10(least)) - 1, math.ceil(math.log10(most)) + 2)
             for factor in (1, 2, 5)]
    first = max(place for place, value in enumerate(steps) if value <= least * (1 + 1e-9))
    last = min(place for place, value in enumerate(steps) if value >= most * (1 - 1e-9))
    return steps[first : max(last, first + 1) + 1]


def panels(document):
    """All plots of a document: {subject: [dict for the template]}, without subjects that have nothing to show."""
    colours = {name: COLOURS[place % len(COLOURS)]
               for place, name in enumerate(dict.fromkeys(_runtime(row, document) for row in document["rows"]))}
    found = {}
    for subject in SUBJECTS:
        rows = [row for row in document["rows"] if row["subject"] == subject]
        plain = [row for row in rows if row["batch"] == row["streams"] == 1]
        single = [row for row in rows if row["batch"] == 1]
        drawn = [accuracy_panel(subject, plain, document, colours), latency_panel(subject, plain, document, colours),
                 streams_panel(subject, single, document, colours)]
        found[subject] = [panel for panel in drawn if panel]
    return {subject: drawn for subject, drawn in found.items() if drawn}


def _runtime(row, document):
    """A row's runtime, with its machine where there are several."""
    return row["runtime"] + (f", machine {row['machine'] + 1}" if len(document["machines"]) > 1 else "")


def _mark(row, document, colours, x, y, told):
    return {"x": x, "y": y, "shape": SHAPES[row["precision"]], "colour": colours[_runtime(row, document)],
            "title": f"{_runtime(row, document)}, {row['precision']}: {told}"}


def _legend(rows, document, colours):
    """What colours and shapes of rows mean."""
    return {"colours": {name: colours[name] for name in dict.fromkeys(_runtime(row, document) for row in rows)},
            "shapes": {name: SHAPES[name] for name in SHAPES if any(row["precision"] == name for row in rows)}}


def _frame(title, x_axis, y_axis, x_label, y_label, height=HEIGHT, left=LEFT):
    return {"title": title, "width": WIDTH, "height": height, "left": left, "right": WIDTH - RIGHT, "top": TOP,
            "bottom": height - BOTTOM, "x_ticks": x_axis.drawn(), "y_ticks": y_axis.drawn() if y_axis else [],
            "x_label": x_label, "y_label": y_label, "marks": [], "lines": [], "bars": [], "legend": None}


def accuracy_panel(subject, rows, document, colours):
    """Accuracy against the median latency, of rows whose accuracy is known; None without any.

    Corners are better the smaller their error, so that their axis is turned: up is better in every panel.
    """
    corners = subject == "keypoints"

    def value(row):
        accuracy = row["accuracy"] or {}
        return (accuracy.get("corners_px") or {}).get("median") if corners else accuracy.get("mean_iou")

    rows = [row for row in rows if value(row) is not None]
    if not rows:
        return None
    x = Axis([row["latency_ms"]["p50"] for row in rows], LEFT, WIDTH - RIGHT, log=True)
    ends = (TOP, HEIGHT - BOTTOM) if corners else (HEIGHT - BOTTOM, TOP)
    y = Axis([value(row) for row in rows], *ends)
    label, unit = ("corner error, px (up is better)", " px") if corners else ("mean IoU", "")
    panel = _frame(f"Accuracy against latency, {TITLES[subject]}", x, y, "median latency, ms", label)
    panel["marks"] = [_mark(row, document, colours, x(row["latency_ms"]["p50"]), y(value(row)),
                            f"{row['latency_ms']['p50']:.1f} ms, {value(row):.4g}{unit}") for row in rows]
    return panel | {"legend": _legend(rows, document, colours)}


def latency_panel(subject, rows, document, colours):
    """Distribution of each row's latencies: 5 to 95 % as a line, 25 to 75 % as a bar, the median a mark."""
    if not rows:
        return None
    rows = sorted(rows, key=lambda row: row["latency_ms"]["p50"])
    places = [[row["latency_ms"]["quantiles"][percent] for percent in BARS] for row in rows]
    x = Axis([value for line in places for value in (line[0], line[-1])], NAMES_WIDTH, WIDTH - RIGHT, log=True)
    height = TOP + BOTTOM + ROW_HEIGHT * len(rows)
    panel = _frame(f"Latency, {TITLES[subject]}", x, None, "ms; bar: middle half, line: 5 to 95 % of the calls", "",
                   height, NAMES_WIDTH)
    for number, (row, line) in enumerate(zip(rows, places, strict=True)):
        low, start, middle, end, high = (x(value) for value in line)
        panel["bars"].append({
            "y": TOP + ROW_HEIGHT * number + ROW_HEIGHT / 2, "low": low, "start": start, "middle": middle, "end": end,
            "high": high, "colour": colours[_runtime(row, document)],
            "name": f"{_runtime(row, document)}, {row['precision']}",
            "title": f"median {line[2]:.2f} ms, 5 to 95 %: {line[0]:.2f} to {line[-1]:.2f} ms"})
    return panel


def streams_panel(subject, rows, document, colours):
    """Images a second against streams, of what was measured with several; None without any."""
    lines = {}
    for row in rows:
        lines.setdefault((_runtime(row, document), row["precision"]), []).append(row)
    lines = [sorted(line, key=lambda row: row["streams"]) for line in lines.values() if len(line) > 1]
    rows = [row for line in lines for row in line]
    if not rows:
        return None
    x = Axis([row["streams"] for row in rows], LEFT, WIDTH - RIGHT)
    x.ticks = sorted({row["streams"] for row in rows})
    y = Axis([0, *(row["images_per_second"]["median"] for row in rows)], HEIGHT - BOTTOM, TOP)
    panel = _frame(f"Throughput against streams, {TITLES[subject]}", x, y, "streams (threads are shared among them)",
                   "images a second")
    for line in lines:
        marks = [_mark(row, document, colours, x(row["streams"]), y(row["images_per_second"]["median"]),
                       f"{row['streams']} streams, {row['images_per_second']['median']:.1f} images/s") for row in line]
        panel["marks"] += marks
        panel["lines"].append({"colour": marks[0]["colour"],
                               "points": " ".join(f"{mark['x']},{mark['y']}" for mark in marks)})
    return panel | {"legend": _legend(rows, document, colours)}
