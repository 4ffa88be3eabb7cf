"""Trainings are done once, in order, on scenes that are linked; what is done is told and copied."""

import json
from dataclasses import replace

import pytest

from experiments.catalogue import EXPERIMENTS, Request
from experiments.thesis import run as thesis_run
from experiments.thesis.case import made_of
from experiments.thesis.run import HEADINGS, image_steps, make_jobs, run_trainings
from experiments.thesis.trainings import SCALES, TRAININGS
from scenes.dataset import read_dataset, write_annotations
from scenes.prediction_files import samples_sha256

NAMES = ("base", "resnet50-1236", "hourglass", "simplepose-resnet18")
QUICK = replace(SCALES["quick"], alike=False, scenes={"pixels": 3, "corners": 5})


@pytest.fixture
def make_data(make_sheets):
    """A function (name="data", seed=5) -> dataset of six scenes to train on, two to judge by and one to test by."""
    def make(name="data", seed=5):
        folder = make_sheets(name, 9, seed)
        splits = ["train"] * 6 + ["validation"] * 2 + ["test"]
        write_annotations(folder, [replace(sample, attributes={"split": split})
                                   for sample, split in zip(read_dataset(folder), splits, strict=True)])
        return folder

    return make


@pytest.fixture
def request_of(make_data, tmp_path):
    return Request(tmp_path / "out", data=(make_data(),), trainings=NAMES)


@pytest.fixture
def done(monkeypatch, run_tasks_here, make_case):
    """Names of the jobs that were trained, in order; those in `broken` fail, and what the data are like is made up."""
    trained, broken = [], set()

    def run_job(job):
        name = f"{job.training}-s{job.seed}"
        trained.append(name)
        if name in broken:
            raise RuntimeError("out of memory")
        job.file.parent.mkdir(parents=True, exist_ok=True)
        job.file.write_text(json.dumps(make_case(job.training, job.seed) | made_of(job)))

    monkeypatch.setattr(thesis_run, "run_job", run_job)
    monkeypatch.setattr(thesis_run, "run_with_progress", run_tasks_here)
    monkeypatch.setattr(thesis_run, "measure_data", lambda folder, file: file.write_text(json.dumps(
        {"photos": len(read_dataset(folder, "train"))})))
    return trained, broken


def jobs_of(request, scale=QUICK):
    return make_jobs(scale, [TRAININGS[name] for name in request.trainings], request)


def test_seeds_go_round_with_the_cheapest_first(request_of):
    jobs = jobs_of(request_of)
    assert [job.seed for job in jobs] == [0] * 4 + [1] * 3 + [2] * 3  # of the base model one is meant
    for seed in range(3):
        names = [job.training for job in jobs if job.seed == seed]
        assert names[:2] == ["hourglass", "simplepose-resnet18"] and set(names[2:]) <= {"base", "resnet50-1236"}
    assert jobs[3].training == "base"  # the most expensive of the first round
    assert [job.config.seed for job in jobs] == [job.seed for job in jobs]
    assert {job.scale for job in jobs} == {"quick"} and len({job.file for job in jobs}) == len(jobs) == len(
        {job.run for job in jobs})


def test_as_many_seeds_as_are_asked_for(request_of):
    assert [job.seed for job in jobs_of(replace(request_of, seeds=1))] == [0] * 4
    assert max(job.seed for job in jobs_of(replace(request_of, seeds=5))) == 4


def test_scenes_are_linked_as_many_as_the_scale_wants(request_of):
    jobs = {job.kind: job for job in jobs_of(request_of)}
    for kind, count in QUICK.scenes.items():
        samples = read_dataset(jobs[kind].data)
        assert [sample.attributes["split"] for sample in samples] == ["train"] * count + ["validation"] * 2
        assert jobs[kind].data_sha256 == samples_sha256(samples, masks=True)
    assert jobs["pixels"].data_sha256 != jobs["corners"].data_sha256
    assert image_steps(jobs["pixels"]) == 10 * 3 and image_steps(jobs["corners"]) == 10 * 5


def test_a_folder_that_was_begun_with_other_scenes_is_refused(request_of, make_data):
    jobs_of(request_of)
    assert jobs_of(request_of)  # gone on with
    with pytest.raises(ValueError, match="scenes_sha256 was"):
        jobs_of(replace(request_of, data=(make_data("other", seed=6),)))
    with pytest.raises(ValueError, match="scale was 'quick', is 'paper'"):
        jobs_of(replace(request_of, scale="paper"))


def test_without_scenes_nothing_is_begun(request_of, make_sheets):
    with pytest.raises(ValueError, match="need scenes: --data DIR"):
        jobs_of(replace(request_of, data=()))
    with pytest.raises(ValueError, match="both are needed"):
        jobs_of(replace(request_of, data=(make_sheets("bare", 2),)))
    assert not request_of.out.exists()


def test_each_is_done_once_and_told(request_of, done, tmp_path):
    trained, _ = done
    request = replace(request_of, seeds=2, results=tmp_path / "results" / "thesis")
    outcome = run_trainings(QUICK, request)
    assert trained == [f"{job.training}-s{job.seed}" for job in jobs_of(request)]
    assert not outcome.faults and outcome.results == {"done": 7, "of": 7}
    headings, cells = outcome.table
    assert headings == HEADINGS and cells == [
        ["PSPNet ResNet101, SGD", "1", "1", "30"], ["ResNet50 1236", "2", "2", "30"], ["hourglass", "2", "2", "50"],
        ["SimplePose ResNet18", "2", "2", "50"]]
    assert json.loads((request.out / "data.json").read_text()) == {"photos": 3}
    copied = tmp_path / "results" / "thesis" / "quick"
    assert {file.name for file in copied.iterdir()} == {"data.json", *(f"{name}.json" for name in trained)}
    assert (copied / "base-s0.json").read_bytes() == (request.out / "cases" / "base-s0.json").read_bytes()
    trained.clear()
    assert run_trainings(QUICK, request).results == {"done": 7, "of": 7} and not trained
    # What one table has done the next does not do again.
    run_trainings(QUICK, replace(request, trainings=("hourglass", "pyramid")))
    assert trained == ["pyramid-s0", "pyramid-s1"]


def test_what_is_copied_can_be_reported_from(request_of, done, tmp_path):
    from experiments.thesis.material import read_material

    run_trainings(QUICK, replace(request_of, results=tmp_path / "results" / "thesis"))
    material = read_material(tmp_path / "results", "quick")
    assert {name: len(cases) for name, cases in material.cases.items()} == {
        "base": 1, "resnet50-1236": 3, "hourglass": 3, "simplepose-resnet18": 3}
    assert material.measured("data.json") == {"photos": 3} and material.state(NAMES) == "done"


def test_a_training_that_fails_leaves_the_others(request_of, done):
    trained, broken = done
    broken.add("hourglass-s0")
    request = replace(request_of, seeds=1)
    outcome = run_trainings(QUICK, request)
    assert outcome.faults == {"hourglass-s0": "out of memory"} and outcome.results == {"done": 3, "of": 4}
    assert ["hourglass", "0", "1", "50"] in outcome.table[1]
    broken.clear()
    trained.clear()
    outcome = run_trainings(QUICK, request)
    assert trained == ["hourglass-s0"] and not outcome.faults and outcome.results == {"done": 4, "of": 4}


def test_results_of_other_settings_are_not_taken_for_these(request_of, done):
    request = replace(request_of, seeds=1)
    run_trainings(QUICK, request)
    other = replace(QUICK, common=QUICK.common | {"corners": QUICK.common["corners"] | {"epochs": 3}})
    with pytest.raises(ValueError, match=r"s0\.json was made with another configuration"):
        run_trainings(other, request)


def test_results_that_are_there_already_count_as_done(request_of, done, tmp_path):
    trained, _ = done
    results = tmp_path / "results" / "thesis"
    run_trainings(QUICK, replace(request_of, seeds=1, results=results))
    trained.clear()
    elsewhere = replace(request_of, out=tmp_path / "elsewhere", seeds=1, results=results)
    assert run_trainings(QUICK, elsewhere).results == {"done": 4, "of": 4} and not trained
    # Those that were made of something else are done anew, and not in the way.
    other = replace(QUICK, common=QUICK.common | {"corners": QUICK.common["corners"] | {"epochs": 3}})
    run_trainings(other, replace(elsewhere, out=tmp_path / "other"))
    assert sorted(trained) == ["hourglass-s0", "simplepose-resnet18-s0"]


def test_the_data_alone_are_measured_for_their_tables(request_of, done):
    outcome = run_trainings(QUICK, replace(request_of, trainings=()))
    assert json.loads((request_of.out / "data.json").read_text()) == {"photos": 3} and not done[0]
    assert not outcome.faults and outcome.table[1] == []


def test_the_experiment_gives_its_trainings(request_of, done, monkeypatch):
    monkeypatch.setitem(SCALES, "quick", QUICK)
    trained, _ = done
    assert EXPERIMENTS["thesis"].run(replace(request_of, trainings=(), seeds=1)).results["of"] == len(TRAININGS)
    assert len(trained) == len(TRAININGS)
