"""What the report is made from is read, and what does not belong together is refused."""

import json

import pytest

from experiments.thesis.material import Material, read_material, seeds_told


def test_cases_are_read_by_training_and_seed(write_cases, make_cases):
    cases = make_cases(["hourglass", "resnet50-1236"])
    folder = write_cases({name: documents[::-1] for name, documents in cases.items()})
    material = read_material(folder, "quick")
    assert material.cases == cases and (material.folder, material.scale) == (folder, "quick")
    assert read_material(folder, "paper").cases == {}
    assert list(material.of(["resnet50-1236", "base", "hourglass"])) == ["resnet50-1236", "hourglass"]
    assert list(material.labelled(["hourglass", "base"])) == ["hourglass"]
    assert list(material.labelled(["resnet50-1236"])) == ["ResNet50 1236"]


def test_corners_and_pixels_may_have_scenes_of_their_own_but_no_training_may(write_cases, make_cases, make_case):
    cases = make_cases(["hourglass", "resnet50-1236"], 1)
    assert read_material(write_cases(cases), "quick").cases == cases
    folder = write_cases({"resnet50-1238": [make_case("resnet50-1238", data_sha256="of others")]})
    with pytest.raises(ValueError, match=r"resnet50-1238-s0\.json and .*resnet50-1236-s0\.json were trained on other"):
        read_material(folder, "quick")


def test_seeds_of_other_settings_are_refused(write_cases, make_case):
    cases = [make_case("hourglass", seed) for seed in range(2)]
    cases[1]["configuration"]["epochs"] = 50
    with pytest.raises(ValueError, match="hourglass.* settings"):
        read_material(write_cases({"hourglass": cases}), "quick")


def test_a_training_counts_once(write_cases, make_case):
    """Copies are no seeds: three of them would make an interval without width."""
    folder = write_cases({"hourglass": [make_case("hourglass")]})
    for seed in (1, 2):
        (folder / "thesis" / "quick" / f"hourglass-s{seed}.json").write_text(json.dumps(make_case("hourglass")))
    with pytest.raises(ValueError, match="hourglass .* of one seed"):
        read_material(folder, "quick")


def test_what_another_scale_or_version_trained_is_refused(write_cases, make_case):
    for changes in ({"scale": "paper"}, {"configuration": make_case("pyramid")["configuration"] | {"epochs": 3}}):
        with pytest.raises(ValueError, match=r"pyramid-s0\.json is of other settings"):
            read_material(write_cases({"pyramid": [make_case("pyramid", **changes)]}), "quick")


def test_what_is_no_case_is_refused(write_cases, make_case):
    folder = write_cases({"hourglass": [make_case("hourglass")]})
    other = folder / "thesis" / "quick" / "nothing-s0.json"
    other.write_text(json.dumps(make_case("hourglass", training="nothing")))
    with pytest.raises(ValueError, match="of a training 'nothing', which there is not; remove it"):
        read_material(folder, "quick")
    other.write_text("{}")
    with pytest.raises(ValueError, match="nothing-s0.json is no result of a training"):
        read_material(folder, "quick")


def test_results_of_other_experiments_are_there_or_not(nothing, tmp_path):
    assert nothing.result("corners", "speed") is None and nothing.measured("data.json") is None
    for file in (tmp_path / "results" / "corners" / "speed" / "results.json",
                 tmp_path / "results" / "thesis" / "quick" / "data.json"):
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"of": file.name}))
    assert nothing.result("corners", "speed") == {"of": "results.json"}
    assert nothing.measured("data.json") == {"of": "data.json"}


def test_the_state_of_trainings(make_cases, tmp_path):
    cases = make_cases(["base"], 1) | make_cases(["resnet50-1236"], 3) | make_cases(["resnet50-1238"], 2)
    material = Material(tmp_path, "quick", cases)
    assert material.state(["resnet50-1236"]) == material.state(["resnet50-1236", "base"]) == "done"  # one seed is meant
    assert material.state(["resnet50-1236", "resnet50-1238"]) == "partly"
    assert material.state(["resnet50-1236", "resnet50-1356"]) == "partly"
    assert material.state(["hourglass", "pyramid"]) == "not run"


def test_dates_and_seeds_are_told(make_cases, tmp_path):
    material = Material(tmp_path, "quick", make_cases(["base", "hourglass"], 1) | make_cases(["pyramid"], 3))
    assert material.dates(["base", "hourglass"]) == "2026-01-01"
    assert material.dates(["base", "pyramid"]) == "2026-01-01 to 2026-01-03"
    assert material.dates(["resnet50-1236"]) == ""
    assert [seeds_told([{}] * count) for count in (0, 2, 3, 5)] == ["0 of 3", "2 of 3", "3", "5"]
