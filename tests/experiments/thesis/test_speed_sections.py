"""Sections on speed and conversion say what the results of their experiments say."""

import json

import pytest

from experiments.commands import RESULTS_FOLDER
from experiments.thesis.assemble import build
from experiments.thesis.items import ITEMS
from experiments.thesis.material import Material
from experiments.thesis.sections import NOT_REPRODUCED, REPRODUCED, UNTOLD
from experiments.thesis.speed_sections import frame_of, section_of


@pytest.fixture
def make_material(tmp_path):
    """A function ({folder: results document}) -> Material of them alone."""
    def make(documents):
        for folder, document in documents.items():
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / "results.json").write_text(json.dumps(document))
        return Material(tmp_path, "quick", {})

    return make


@pytest.fixture
def rates():
    """A function ratios -> results of thesis-models, the base at one photo a second."""
    def give(*ratios, missing=()):
        base = {"images_per_second": [1.0] * len(ratios), "ratio": [1.0] * len(ratios)}
        return {"thesis/models": {
            "experiment": "thesis-models", "scale": "paper", "date": "2026-01-05", "missing": list(missing),
            "configuration": {"side": 473, "threads": 2, "form": {"pool_channels": 512, "auxiliary_channels": 512}},
            "parameters": {"pspnet-resnet50": 24e6, "pspnet-efficientnetb0": 15e6, "pspnet-efficientnetb3": 14e6,
                           "pspnet-efficientnetb5": 23e6},
            "rates": {"base": base, "final": {"images_per_second": list(ratios), "ratio": list(ratios)}}}}

    return give


@pytest.mark.parametrize(("ratios", "word"), [
    ((2.5, 2.7, 3.1), REPRODUCED), ((1.2, 1.9, 1.5), NOT_REPRODUCED), ((1.9, 2.5, 2.6), UNTOLD)])
def test_almost_three_times_as_fast(ratios, word, make_material, rates):
    section = build(ITEMS["segmentation-rate"], make_material(rates(*ratios)))
    ((_, verdict),) = section.verdicts
    assert verdict.word == word and f"{sorted(ratios)[1]:.2f} times" in verdict.evidence
    assert (section.state, section.dates) == ("done", "2026-01-05")
    (table,) = section.tables
    assert list(table.frame[table.published[0]]) == [12, 33]
    ours = next(heading for heading in table.frame if heading.startswith("here"))
    assert list(table.frame[ours]) == ["1.00", f"{sorted(ratios)[1]:.2f}"]
    bars = section.drawings[0].draw().axes[0]
    assert {bar.get_width() for container in bars.containers for bar in container} == {1.0, sorted(ratios)[1], 12, 33}


def test_what_is_missing_is_told(make_material, rates):
    assert build(ITEMS["segmentation-rate"], make_material(rates(2.5, missing=["x"]))).state == "partly"


def test_parameters_come_from_the_models(make_material, rates):
    section = build(ITEMS["efficientnets"], make_material(rates(2.5)))
    assert [table.name for table in section.tables] == ["efficientnets", "parameters"]
    assert section.verdicts[-1][1].word == REPRODUCED


def corner_speed(ratios, off):
    one = {"images_per_second": [10.0] * 3, "ratio": [1.0] * 3, "corners_px": None}
    runtimes = {"MXNet": one} | {name: one | {"ratio": ratios, "corners_px": {"median": off / 9, "p95": off / 3,
                                                                              "largest": off}}
                                 for name in ("ONNX Runtime", "OpenVINO FP32")}
    return {"experiment": "corner-speed", "scale": "paper", "date": "2026-01-05", "missing": [],
            "configuration": {"threads": 2}, "runtimes": runtimes, "training": {"keypoints.train": one},
            "processor_can": []}


@pytest.mark.parametrize(("ratios", "off", "words"), [
    ([1.2, 1.4, 1.3], 0.001, [UNTOLD, REPRODUCED, REPRODUCED]), ([0.9, 1.4, 1.3], 0.001, [UNTOLD, UNTOLD, REPRODUCED]),
    ([1.2, 1.4, 1.3], 0.5, [UNTOLD, REPRODUCED, NOT_REPRODUCED]),
    ([0.5, 0.6, 0.7], 0.001, [UNTOLD, NOT_REPRODUCED, REPRODUCED])])  # slower in every round
def test_conversion_of_the_corner_network(ratios, off, words, make_material):
    section = build(ITEMS["corner-conversion"], make_material({"corners/speed": corner_speed(ratios, off)}))
    assert [verdict.word for _, verdict in section.verdicts] == words
    assert "100.0 ms" in section.verdicts[0][1].evidence and f"{off:.1e}" in section.verdicts[2][1].evidence


def test_the_projects_own_results_can_be_told():
    material = Material(RESULTS_FOLDER, "quick", {})
    for name in ("corner-conversion", "displaced-output"):
        section = build(ITEMS[name], material)
        assert section.state == "done" and section.tables and section.dates
        for table in section.tables:
            assert len(table.frame) > 2 and table.frame.columns.is_unique
        assert all(verdict.evidence for _, verdict in section.verdicts)
    causes = len(material.result("figure57")["verdict"]["candidates"])
    assert section.verdicts[0][1].evidence.startswith(f"{causes} causes")
    assert section.verdicts[0][1].word == REPRODUCED and section.verdicts[1][1].word == UNTOLD


def test_no_cause_is_none_that_was_found(make_material):
    document = json.loads((RESULTS_FOLDER / "figure57" / "results.json").read_text())
    document["verdict"]["candidates"] = []
    assert build(ITEMS["displaced-output"], make_material({"figure57": document})).verdicts[0][1].word == NOT_REPRODUCED


def test_headings_are_told_apart():
    frame = frame_of(["", "error", "error", ""], [list("abcd")])
    assert list(frame) == ["which", "error", "error (2)", "of"] and frame.iloc[0].tolist() == list("abcd")


def test_a_section_names_the_experiment_that_is_to_be_run():
    section = section_of(ITEMS["displaced-output"], None, "A claim.", verdicts=[("A finding", None)])
    assert section.verdicts[0][1].word == UNTOLD and "figure57 has not been run" in section.verdicts[0][1].evidence
