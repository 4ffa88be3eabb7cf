"""A load test for readers: a table in Markdown, and a figure."""

import io
import json
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from deploy.tables import markdown_table, number
from scenes.files import write_whole

RESULTS, TABLE, FIGURE = "results.json", "README.md", "figure.png"
LEAST_RATIO = 0.9  # of the service's photos a second to the batch's
MOST_TAIL = 3.0  # times p50 that p99 may be
PHASES = {"saturation": "saturation", "steady": "80 %, at equal distances", "random": "80 %, at random",
          "overload": "overload, then half"}
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"


def write_report(folder, document, text=None, drawing=None):
    """Write results.json, README.md and, where matplotlib is installed, figure.png into a folder. text, drawing: what
    gives the last two, as `markdown` and `figure` do. Raises OSError."""
    folder, drawn = Path(folder), find_spec("matplotlib") is not None
    write_whole(folder / RESULTS, (json.dumps(document) + "\n").encode())
    write_whole(folder / TABLE, (text or markdown)(document, drawn).encode())
    if drawn:
        write_whole(folder / FIGURE, (drawing or figure)(document))


def markdown(document, drawn):
    """README.md of a document. drawn: whether there is a figure beside it."""
    machine, settings = document["machine"], document["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if version)
    enlarged = f", enlarged to {settings['megapixels']:g} megapixels" if settings["megapixels"] else ""
    lines = [
        "# `foliopie serve` under load", "",
        f"{document['date']}. {machine['processor']}, {machine['system']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB; Python {machine['python']}, {versions}.", "",
        f"{settings['workers']} workers of {settings['threads']} threads, {len(settings['photos'])} photos "
        f"(mean {settings['photo_bytes']['mean'] / 1e3:.0f} kB{enlarged}) in random order "
        f"over the loopback, on connections that are kept; a queue of {settings['queue']}, {settings['uploads']} "
        "uploads at a time. The client ran on the same cores.", "",
        *markdown_table(["", "wanted", "found"], verdicts(document), (0, 1, 2)), "",
        "Latencies in milliseconds, from the moment that a request was due:", "",
        *markdown_table(LATENCY_HEADINGS, latencies(document)), "",
        "Cores' work, and milliseconds of it for each photo that was answered (the batch's own process stands under "
        "client):", "",
        *markdown_table(CPU_HEADINGS, costs(document)), "",
        f"What the service and its workers held from the first tenth of the photos on. {MEMORY_NOTE}", "",
        *markdown_table(MEMORY_HEADINGS, memory_cells(document["phases"]["saturation"]["memory"])),
    ]  # fmt: skip
    return "\n".join([*lines, *(["", f"![figure]({FIGURE})"] if drawn else []), ""])


def verdicts(document):
    """Cells of what is wanted of the service and what was found: list of lists of str."""
    phases, ratio = document["phases"], document["service_to_batch"]
    over, then = phases["overload"], phases["overload"]["then"]
    rows = [["photos a second, saturation", "", f"{phases['saturation']['images_per_second']:.2f}"]]
    if ratio:
        rows.append(["beside the batch, in rounds", f"at least {LEAST_RATIO:g}",
                     f"{ratio['median']:.3f} ({ratio['least']:.3f} to {ratio['most']:.3f}); batch "
                     f"{document['batch']['median']:.2f}, service {document['service']['median']:.2f} a second"])
    rows += [[f"p99 / p50 at {PHASES[name]}", f"less than {MOST_TAIL:g}", number(tail(phases[name]))]
             for name in ("steady", "random")]
    overload = over["overload"]
    waits = ", ".join(overload["retry_after"]) or "none"
    return [
        *rows,
        ["overload: refused with 503", "the rest answered",
         f"{overload['refused']} of {overload['requests']} refused, {overload['answered']} answered "
         f"({over['answered_per_second']:.2f} a second), other statuses: {_others(overload)}; Retry-After: {waits}"],
        ["overload: milliseconds to an answer, to a refusal", "",
         f"p50 {_ms(overload, 'answered_ms', 'p50')}, p99 {_ms(overload, 'answered_ms', 'p99')}; p50 "
         f"{_ms(overload, 'refused_ms', 'p50')}, p99 {_ms(overload, 'refused_ms', 'p99')}"],
        ["at once half of the load", "no 503",
         f"{over['recovery']['refused']} refused, the last {over['recovery']['last_refused_s']:.1f} s after; p99 "
         f"{_ms(then, 'answered_ms', 'p99')} ms, other statuses: {_others(then)}"],
    ]  # fmt: skip


def tail(phase):
    """p99 / p50 of a phase's answers; None without any."""
    told = phase["answered_ms"]
    return told and told["p99"] / told["p50"]


def _ms(told, kind, name):
    return number(told[kind] and told[kind][name], ".0f")


def _others(told):
    return ", ".join(f"{count} of {status}" for status, count in told["other_statuses"].items()) or "none"


LATENCY_HEADINGS = ["", "requests", "answered", "503", "other", "p50", "p90", "p99", "max", "sent late"]


def latencies(document):
    """Cells of LATENCY_HEADINGS."""
    phases = document["phases"]
    told = {title: phases[name] for name, title in PHASES.items() if name != "overload"}
    told |= {"overload": phases["overload"]["overload"], "half, after it": phases["overload"]["then"]}
    return [[title, str(one["requests"]), str(one["answered"]), str(one["refused"]),
             str(sum(one["other_statuses"].values())), _ms(one, "answered_ms", "p50"), _quantile(one, 90),
             _ms(one, "answered_ms", "p99"), _quantile(one, 100), str(one["sent_late"])] for title, one in told.items()]


def _quantile(told, percent):
    return number(told["answered_ms"] and told["answered_ms"]["quantiles"][percent], ".0f")


CPU_HEADINGS = ["", "workers, cores", "service, cores", "client, cores", "workers, ms", "service, ms", "client, ms"]


def costs(document):
    """Cells of CPU_HEADINGS."""
    keys = [f"{who}_{what}" for what in ("cores", "ms") for who in ("workers", "service", "client")]
    batch = [told["cpu"] for name, told in document["phases"].items() if name.startswith("batch-")]
    beside = ["batch, in rounds", "-", "-", "-", number(median(told["workers_ms"] for told in batch)), "-",
              number(median(told["parent_ms"] for told in batch))]
    return [beside, *([title, *(number(document["phases"][name]["cpu"][key]) for key in keys)]
                      for name, title in PHASES.items())]


MEMORY_NOTE = ("Memory of all is their PSS; what lies in no file is where a leak would be (libraries are shared with "
               "whatever else runs). Growth is that of a line per 1,000 photos.")
MEMORY_HEADINGS = ["saturation", "at the beginning", "least", "median", "most", "at the end", "growth per 1,000",
                   "in the last half"]
HELD = {"pss_mb": ("memory of all, MB", ".1f"), "own_mb": ("of that in no file, MB", ".1f"),
        "parent_mb": ("memory of the first process, MB", ".1f"),
        "handles": ("file handles", ".0f"), "threads": ("threads", ".0f")}


def memory_cells(told):
    """Cells of MEMORY_HEADINGS, of what deploy.load.watch.growth gave; [] of None."""
    if told is None:
        return []
    return [[title, number(told[name]["first"], form), *(number(told[name]["settled"][key], form)
                                                         for key in ("least", "median", "most")),
             number(told[name]["last"], form), number(told[name]["per_1000"], "+.2f"),
             number(told[name]["per_1000_last_half"], "+.2f")] for name, (title, form) in HELD.items()]


def memory_lines(told):
    """One line on each quantity of what deploy.load.watch.growth gave; one that says so for None."""
    if told is None:
        return ["too few photos to tell of growth"]
    return [f"{title}: {told[name]['first']:.1f} to {told[name]['last']:.1f}, per 1,000 photos "
            f"{number(told[name]['per_1000'], '+.2f')}" for name, (title, _) in HELD.items()]


def figure(document):
    """PNG, bytes: latencies at each load, and memory over the photos of the saturation."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = drawn.subplots(1, 2)
    for name, colour in (("steady", BLUE), ("random", ORANGE)):
        if told := document["phases"][name]["answered_ms"]:
            left.plot(told["quantiles"], range(101), color=colour, label=PHASES[name])
    left.set(xlabel="milliseconds from when a request was due", ylabel="percent of answers", xscale="log",
             ylim=(0, 101))
    left.legend(frameon=False)
    draw_memory(right, document["phases"]["saturation"]["samples"])
    return png(drawn)


def draw_memory(panel, samples):
    """Draw memory against photos, samples as deploy.load.watch.as_rows has them, into matplotlib Axes."""
    for name, colour in (("pss_mb", BLUE), ("own_mb", GREEN), ("parent_mb", ORANGE)):
        panel.plot(samples["photos"], samples[name], color=colour, label=HELD[name][0])
    panel.set(xlabel="photos", ylabel="MB", ylim=(0, None))
    panel.legend(frameon=False)


def png(drawn):
    """A matplotlib Figure as the bytes of a PNG."""
    stream = io.BytesIO()
    drawn.savefig(stream, format="png", dpi=150)
    return stream.getvalue()
