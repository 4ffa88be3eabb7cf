"""What goes beyond the thesis: questions that it leaves open, with what came out here: a function for each Item."""

import csv
import io
from dataclasses import replace

from experiments import classical, model_results, results
from experiments.thesis.corner_sections import compared as compared_corners
from experiments.thesis.corner_sections import corner_section
from experiments.thesis.findings import COVERED, POINTS, SEEN, TIMES, verdict
from experiments.thesis.pixel_sections import compared, pixel_section
from experiments.thesis.sections import NOT_REPRODUCED, REPRODUCED, UNTOLD, Drawing, Section, Table, Verdict
from experiments.thesis.speed_sections import frame_of, section_of


def dilemma(item, material):
    document = material.result("corners", "models")
    own = []
    tables = []
    if document:
        tables = [Table("dilemma-photos", "SimplePose, hourglass and pyramid on photos in place of maps, longer "
                        "trained, by rendered test scenes and by real photos; `released` is the network that comes "
                        "with the project.",
                        frame_of(model_results.HEADINGS, model_results.cells(document)))]
        own = [Drawing("dilemma-photos", "Share of the corners within a distance, seen and covered ones, on rendered "
                       "scenes and on photos.", lambda: model_results.figure(document),
                       "cumulative curves of corner errors")]
    verdicts = []
    for name, words in (("hourglass-visibility", "counting covered corners twice"), ("pyramid", "the pyramid")):
        verdicts += [
            (f"Covered corners: {words} is better than the hourglass",
             verdict(compared_corners(material, "hourglass", name, COVERED), "better", TIMES)),
            (f"Corners seen: {words} is no worse than the hourglass",
             verdict(compared_corners(material, name, "hourglass", SEEN), "not better", TIMES))]
    verdicts.append(("Covered corners: the pyramid is better than SimplePose",
                     verdict(compared_corners(material, "simplepose-resnet18", "pyramid", COVERED), "better", TIMES)))
    section = corner_section(
        item, material,
        "The thesis ends with two models: one exact on corners seen and wrong on covered ones, one the other way "
        "round; with data that tell covered corners from seen ones, it expects, one could do both. Rendered scenes "
        "tell them apart. Tried: a loss that counts covered corners twice, and a pyramid whose corners share their "
        "maps, with a map of the sheet's inside.",
        "Four networks at equal steps", verdicts, own=own)
    return replace(section, tables=(*section.tables, *tables))


def regression(item, material):
    first, second = item.trainings
    return corner_section(
        item, material,
        "Section 3.2 leaves direct regression of coordinates, as too hard to learn, for heatmaps, without figures.",
        "Heatmaps and coordinates",
        [("Heatmaps are better on corners seen",
          verdict(compared_corners(material, second, first, SEEN), "better", TIMES)),
         ("Heatmaps are better on covered corners",
          verdict(compared_corners(material, second, first, COVERED), "better", TIMES))],
        ["The second training of the table, coordinates, is the first of the comparison."])


def architectures(item, material):
    first, *others = item.trainings
    names = {"fcn8-resnet50": "FCN-8", "unet-resnet50": "U-Net"}
    return pixel_section(
        item, material,
        "Chapter 2 presents FCN and U-Net and takes PSPNet for its context, without trying the others.",
        "PSPNet, FCN-8 and U-Net on the same encoder",
        [(f"PSPNet is better than {names[name]}", verdict(compared(material, name, first), "better", POINTS))
         for name in others],
        notes=["U-Net and FCN-8 join features of 1/4 and 1/8, PSPNet has those of 1/16 alone: at this input outlines "
               "count for much."])


def classical_means(item, material):
    document = material.result("classical")
    claim = ("The thesis wants to improve on classical techniques in precision and speed, and shows neither in a "
             "table. Classical here: colour clusters, the largest light quadrilateral, a threshold.")
    findings = ("More sheets are found than by classical means", "It is faster than classical means")
    if document is None:
        return section_of(item, None, claim, verdicts=[(finding, None) for finding in findings])
    scenes = document["sets"]["scenes"]["all"]
    networks, means = scenes["networks"], scenes["classical"]
    quick = [one["cpu_milliseconds"]["median"] for one in (networks, means)]
    verdicts = (
        Verdict(REPRODUCED if networks["found"] > means["found"] else NOT_REPRODUCED,
                f"{networks['found']} of {networks['photos']} rendered test scenes beside {means['found']}."),
        Verdict(REPRODUCED if quick[0] < quick[1] else NOT_REPRODUCED,
                f"{quick[0]:.0f} ms of a core a scene beside {quick[1]:.0f}, medians, with INT8 networks."))
    return section_of(
        item, document, claim,
        [Table("classical-means", "Classical means beside the networks, on rendered test scenes and on real photos; "
               "corners in percent of the diagonal, seen ones' median and 95 %, feet in millimetres.",
               frame_of(classical.HEADINGS, classical.cells(document, "all")))],
        [Drawing("classical-means", "Where the errors lie of classical means and of the networks.",
                 lambda: classical.figure(document), "curves of errors of both methods")],
        zip(findings, verdicts, strict=True))


def conditions(item, material):
    tables = []
    for name, what in (("corners", "corner"), ("segmentation", "pixel")):
        frame = _markdown_frame(material.folder / name / "released" / "README.md", "condition")
        if frame is not None:
            tables.append(Table(f"conditions-{name}", f"The released {what} network on real photos and on rendered "
                                "test scenes that were darkened, flattened, blurred, made coarse or turned.", frame))
    evidence = "Levels of harm are in the tables; the thesis gives none to hold them against."
    return Section(
        item.name, item.where, item.title,
        "Section 1.3 names what classical means fail on: odd brightness and contrast, coarse photos, shaken ones. The "
        "conclusion says that the networks withstand shadows, turns, saturation and low contrast, without figures.",
        tuple(tables), (), (("The networks withstand light, blur, low resolution and "
                             "turns", Verdict(UNTOLD, evidence)),),
        ("The networks are those that come with the project, trained far longer than the thesis's configurations "
         "above.",),
        ("not run", "partly", "done")[len(tables)])


def _markdown_frame(file, first):
    """The table of a Markdown file whose first heading is `first`, or None."""
    if not file.exists():
        return None
    lines = [line.strip().strip("|") for line in file.read_text(encoding="utf-8").splitlines()]
    start = next((place for place, line in enumerate(lines) if line.split("|")[0].strip() == first), None)
    if start is None:
        return None
    rows = list(csv.reader(io.StringIO("\n".join(lines[start:])), delimiter="|"))
    end = next((place for place, row in enumerate(rows) if len(row) != len(rows[0])), len(rows))
    cells = [[cell.strip() for cell in row] for row in rows[:end]]
    return frame_of(cells[0], cells[2:])


def rendered_to_real(item, material):
    claim = ("What of rendered scenes makes a network good on photos? Groups of choices are left out in turn, and two "
             "versions of the scenes are held against each other, on real photos.")
    tables, drawn, verdicts, documents = [], [], [], []
    for name, what in (("ablation", "a group of choices left out"), ("comparison", "scenes rendered before and after")):
        document = material.result("scenes", name)
        if document is None:
            continue
        documents.append(document)
        tables.append(Table(f"rendered-to-real-{name}", f"Corner networks by {what}, on real photos; errors in percent "
                            "of the diagonal.", frame_of(results.headings(document), results.cells(document))))
        drawn.append(Drawing(f"rendered-to-real-{name}", "Differences of the mean corner error on photos, with "
                             "intervals of 95 % over settings.", lambda document=document: results.figure(document, ""),
                             "differences with intervals"))
        verdicts += [(f"{row['name']} beside {document['reference']}",
                      Verdict(UNTOLD, f"{row['difference'][0]:+.2f} [{row['difference'][1]:+.2f}, "
                                      f"{row['difference'][2]:+.2f}] points of the diagonal: {row['verdict']}."))
                     for row in results.rows(document) if row["difference"]]
    if not documents:
        return section_of(item, None, claim, verdicts=[("Which choices transfer", None)])
    return section_of(item, documents[0], claim, tables, drawn, verdicts)
