"""What the lines of a benchmark come to: one document, which every form of the report is made of."""

import json
from collections import defaultdict
from datetime import date

from deploy.benchmark.operations import count_operations
from deploy.benchmark.peak import HINTS
from deploy.benchmark.published import published
from deploy.benchmark.rows import NETWORKS, PIPELINE, PRECISIONS, reference_of
from deploy.benchmark.timing import (
    cost_per_million,
    images_per_core_hour,
    latency_figures,
    ratios,
    spread_of,
)
from deploy.bundle import MANIFEST
from deploy.machine import describe
from deploy.processes import plain
from scenes.files import file_sha256

KIND, SCHEMA = "foliopie benchmark", 1
STEPS = {"timed": "timing", "judged": "judging"}  # what tasks are called -> what is told of one that failed
AGREEMENT = 0.10  # share within which a row of OpenVINO and its own tool are to agree


def results_document(plan, request, measured, faults, packages, others=()):
    """dict for JSON of all that is known; no path of the machine is in it.

    plan: deploy.benchmark.run.Plan. measured: lines as `worker.read_measured` gives them. faults: {task: why}. others:
    documents of other machines, whose rows, peaks and machines are taken over.
    """
    timed, judged = _by_name(measured, "timed"), _by_name(measured, "judged")
    peaks, flops = peaks_of(measured), operations(plan)
    references = {subject: row.name for subject in {row.subject: 0 for row in plan.rows}
                  if (row := reference_of(subject, [row for row in plan.rows if row.name in timed]))}
    machine = describe(packages) | {"threads": plan.work.threads, "price_per_hour": request.price_per_hour}
    document = {
        "kind": KIND, "schema": SCHEMA, "date": date.today().isoformat(), "machines": [machine],
        "configuration": {"bundle_sha256": file_sha256(request.bundle / MANIFEST), "rounds": request.rounds,
                          "seconds": request.seconds, "labelled": judged_on(measured),
                          "weights": {model: file.name for model in NETWORKS
                                      if (file := plan.work.files[model, "FP32"])}},
        "references": references, "peaks": peaks, "flops": flops,
        "rows": [row_figures(row, timed, judged, references, peaks, flops, machine) for row in plan.rows
                 if row.name in timed],
        "failed": failures(plan, faults),
        "not_available": [{"subject": row.subject, "runtime": row.runtime, "precision": row.precision,
                           "batch": row.batch, "streams": row.streams, "machine": 0, "why": why}
                          for row, why in plan.cannot],
        "benchmark_app": agreement(measured), "published": published(),
    }  # fmt: skip
    return merge(document, others)


def _by_name(measured, kind):
    """{name: {round: line}} of the lines of a kind."""
    found = defaultdict(dict)
    for line in measured:
        if line["kind"] == kind:
            found[line["name"]][line["round"]] = line
    return found


def row_figures(row, timed, judged, references, peaks, flops, machine):
    """dict for JSON of a row that was timed."""
    rounds = timed[row.name]
    rates = {number: line["images_per_second"] for number, line in rounds.items()}
    reference = {number: line["images_per_second"] for number, line in timed[references[row.subject]].items()
                 } if row.subject in references else {}  # fmt: skip
    told = judged.get(row.answers_as, {}).get(0, {})
    median = spread_of(list(rates.values()))["median"]
    limit = peaks.get(row.precision, {}).get("operations_per_second") if _is_on_cpu(row) else None
    own = flops.get(row.subject)
    return {
        "name": row.name, "subject": row.subject, "runtime": row.runtime, "precision": row.precision,
        "batch": row.batch, "streams": row.streams, "machine": 0, "threads": machine["threads"], "rounds": len(rounds),
        "images_per_second": spread_of(list(rates.values())), "ratio": spread_of(ratios(rates, reference)),
        "latency_ms": latency_figures([value for line in rounds.values() for value in line["latencies_ms"]]),
        "images_per_core_hour": images_per_core_hour(median, machine["threads"]) if _is_on_cpu(row) else None,
        "cost_per_million": cost_per_million(median, machine["price_per_hour"]),
        **{key: spread_of([line[key] for line in rounds.values() if line[key] is not None])
           for key in ("load_seconds", "first_inference_ms", "peak_memory_mb")},
        "file_mb": next(iter(rounds.values()))["file_mb"],
        "accuracy": _without_found(told.get("accuracy")), "parity": told.get("parity") or pipeline_parity(
            row, judged, references),
        "share_of_peak": own * median / limit if own and limit else None,
    }  # fmt: skip


def _is_on_cpu(row):
    return row.runtime not in ("ONNX Runtime CUDA", "TensorRT", "OpenVINO GPU")


def _without_found(accuracy):
    return accuracy and {key: value for key, value in accuracy.items() if key != "found"}


def pipeline_parity(row, judged, references):
    """How far the corners of a pipeline are from the reference pipeline's on the labelled photos, pixels.

    dict for JSON, or None where either is not known.
    """
    reference = references.get(PIPELINE, "").rpartition(", batch")[0]
    told, against = ((judged.get(name, {}).get(0, {}).get("accuracy") or {}).get("found")
                     for name in (row.answers_as, reference))
    if row.subject != PIPELINE or not told or not against:
        return None
    both = [(corners, against[name]) for name, corners in told.items() if corners and against.get(name)]
    off = sorted(max(((x - u) ** 2 + (y - v) ** 2) ** 0.5 for (x, y), (u, v) in zip(one, other, strict=True))
                 for one, other in both)
    return {"corner_px": spread_of(off) and spread_of(off)["median"],
            "same_answered": sum((corners is None) == (against.get(name) is None) for name, corners in told.items())
            / len(told), "within_limits": None}  # fmt: skip


def peaks_of(measured):
    """{precision: {"operations_per_second", "by", "all": {name: rate}}}: the best round of the fastest, and of all."""
    best = {name: max(line["operations_per_second"] for line in rounds.values())
            for name, rounds in _by_name(measured, "peak").items()}
    found = {}
    for precision in HINTS:
        # A GPU's is no limit of the CPU's rows.
        own = {name: rate for name, rate in best.items() if name.endswith(f", {precision}")
               and not name.startswith("OpenVINO GPU")}
        if own:
            fastest = max(own, key=own.get)
            found[precision] = {"operations_per_second": own[fastest], "by": fastest.rpartition(", ")[0],
                                "all": {name.rpartition(", ")[0]: rate for name, rate in own.items()}}
    return found


def operations(plan):
    """{network: FLOPs of one image}, counted in the file that it is computed from."""
    found = {}
    for model in NETWORKS:
        for precision in PRECISIONS:
            file = plan.work.files[model, precision]
            if file and file.exists():
                found[model] = count_operations(file)
                break
    return found


def judged_on(measured):
    """{"split", "photos"} that accuracy is told of, or None."""
    lines = [line for line in measured if line["kind"] == "judged" and line["samples"]]
    return {"split": lines[0]["split"], "photos": lines[0]["samples"]} if lines else None


def failures(plan, faults):
    """[{"name", "what", "error"}] of the rows that could not be measured or judged, and of what else failed."""
    names = {plain(row.name): row.name for row in plan.rows} | {plain(row.answers_as): row.answers_as
                                                                for row in plan.rows}
    found = {}
    for task, fault in faults.items():
        step, _, what = task.partition("/")
        if step.startswith("round-"):
            step, _, what = what.partition("-")
        # The first round tells why; what is not begun after it tells nothing more.
        found.setdefault((names.get(what, what), STEPS.get(step, step)), fault)
    return [{"name": name, "what": what, "error": fault} for (name, what), fault in found.items()]


def agreement(measured):
    """Rows of OpenVINO beside its own benchmark_app: [{"name", "ours", "theirs": images a second, medians of the
    rounds, "ratio", "agrees"}]."""
    timed, found = _by_name(measured, "timed"), []
    for name, rounds in _by_name(measured, "benchmark_app").items():
        own = {number: line["images_per_second"] for number, line in timed.get(name, {}).items()}
        theirs = {number: line["images_per_second"] for number, line in rounds.items()}
        if not (shares := ratios(own, theirs)):
            continue
        ratio = spread_of(shares)
        found.append({"name": name, "ours": spread_of(list(own.values()))["median"],
                      "theirs": spread_of(list(theirs.values()))["median"], "ratio": ratio,
                      "agrees": abs(ratio["median"] - 1) <= AGREEMENT})
    return found


def merge(document, others):
    """The document with the rows, failures and machines of others behind its own."""
    document = json.loads(json.dumps(document))
    for other in others:
        first = len(document["machines"])
        document["machines"] += other["machines"]
        for key in ("rows", "failed", "not_available", "benchmark_app"):
            document[key] += [line | {"machine": line.get("machine", 0) + first} for line in other[key]]
    return document


