"""What goes beyond the thesis is told from the project's own results and from trainings, in the right direction."""

import json

import pytest

from experiments.commands import RESULTS_FOLDER
from experiments.thesis.assemble import build
from experiments.thesis.beyond_sections import _markdown_frame
from experiments.thesis.items import BEYOND, ITEMS
from experiments.thesis.material import Material
from experiments.thesis.sections import NOT_REPRODUCED, REPRODUCED, UNTOLD


@pytest.fixture
def words(make_cases, tmp_path):
    """A function (name of an item, gains={}) -> words of its verdicts."""
    def give(name, gains=None):
        cases = make_cases(ITEMS[name].trainings, gains=gains)
        return [verdict.word for _, verdict in build(ITEMS[name], Material(tmp_path, "quick", cases)).verdicts]

    return give


@pytest.fixture(scope="module")
def told():
    """Sections of what needs no training here, by the results that come with the project."""
    material = Material(RESULTS_FOLDER, "quick", {})
    return {name: build(item, material) for name, item in ITEMS.items() if item.part == BEYOND and not item.trainings}


def test_one_network_for_both_kinds_of_corners(words):
    """For the loss and for the pyramid: covered better than the hourglass, seen no worse; and the pyramid beside
    SimplePose."""
    assert words("dilemma", {"hourglass-visibility": 1.0, "pyramid": 1.0}) == [REPRODUCED] * 5
    assert words("dilemma", {"hourglass": 1.0, "simplepose-resnet18": 1.0}) == [NOT_REPRODUCED] * 5
    only_loss = words("dilemma", {"hourglass-visibility": 1.0})
    assert only_loss[:2] == [REPRODUCED, REPRODUCED] and REPRODUCED not in (only_loss[2], only_loss[4])


def test_heatmaps_are_held_against_coordinates(words):
    assert words("regression", {"simplepose-resnet18": 1.0}) == [REPRODUCED] * 2
    assert words("regression", {"regression": 1.0}) == [NOT_REPRODUCED] * 2


def test_pspnet_is_held_against_each_architecture(words):
    assert words("architectures", {"resnet50-1236": 0.03}) == [REPRODUCED] * 2
    assert words("architectures", {"fcn8-resnet50": 0.03})[0] == NOT_REPRODUCED
    assert words("architectures", {"unet-resnet50": 0.03})[1] == NOT_REPRODUCED


def test_the_projects_own_results_are_told(told):
    assert set(told) == {"classical-means", "conditions", "rendered-to-real"}
    for name, section in told.items():
        assert section.state in ("done", "partly") and section.tables, name
        assert all(len(table.frame) > 1 and table.frame.columns.is_unique for table in section.tables)
    assert {verdict.word for _, verdict in told["rendered-to-real"].verdicts} == {UNTOLD}
    dilemma = build(ITEMS["dilemma"], Material(RESULTS_FOLDER, "quick", {}))
    assert dilemma.tables[1].name == "dilemma-photos" and dilemma.state == "not run"


def test_classical_means_are_judged_by_their_figures(told, tmp_path):
    document = json.loads((RESULTS_FOLDER / "classical" / "results.json").read_text())
    scenes = document["sets"]["scenes"]["all"]
    found, fast = (verdict for _, verdict in told["classical-means"].verdicts)
    assert found.evidence.startswith(f"{scenes['networks']['found']} of {scenes['networks']['photos']} rendered")
    assert found.word == (REPRODUCED if scenes["networks"]["found"] > scenes["classical"]["found"] else NOT_REPRODUCED)
    scenes["networks"], scenes["classical"] = scenes["classical"], scenes["networks"]
    (tmp_path / "classical").mkdir()
    (tmp_path / "classical" / "results.json").write_text(json.dumps(document))
    turned = build(ITEMS["classical-means"], Material(tmp_path, "quick", {})).verdicts
    assert {found.word, turned[0][1].word} == {fast.word, turned[1][1].word} == {REPRODUCED, NOT_REPRODUCED}


def test_conditions_are_those_of_both_networks(told, tmp_path):
    assert [table.name for table in told["conditions"].tables] == ["conditions-corners", "conditions-segmentation"]
    for table in told["conditions"].tables:
        assert {"none", "brightness"} <= set(table.frame["condition"])
    (tmp_path / "corners" / "released").mkdir(parents=True)
    (tmp_path / "corners" / "released" / "README.md").write_text(
        (RESULTS_FOLDER / "corners" / "released" / "README.md").read_text())
    section = build(ITEMS["conditions"], Material(tmp_path, "quick", {}))
    assert len(section.tables) == 1 and section.state == "partly"


def test_a_table_is_read_out_of_markdown(tmp_path):
    file = tmp_path / "README.md"
    assert _markdown_frame(file, "condition") is None
    file.write_text("# A\n\n| b | c |\n| --- | --- |\n| 1 | 2 |\n\n| condition | error |\n| :-- | --: |\n"
                    "| none | 1.5 |\n| dark, 0.5 | 2 |\n\nText | with | signs.\n")
    frame = _markdown_frame(file, "condition")
    assert list(frame) == ["condition", "error"] and frame.values.tolist() == [["none", "1.5"], ["dark, 0.5", "2"]]
    assert _markdown_frame(file, "nothing") is None
