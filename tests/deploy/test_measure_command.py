"""`foliopie measure`: what it reads, writes, says, and its exit status. Networks answer from drawn truth."""

import errno
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import deploy
from deploy import measure_command
from deploy.meter import FootMeter
from deploy.sources import find_photos

# Test folders are no packages: the drawn scenes of the meter's tests are loaded by their path.
_spec = importlib.util.spec_from_file_location("drawn_scenes", Path(__file__).with_name("test_meter.py"))
drawn = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(drawn)


@pytest.fixture(scope="module")
def scene():
    return drawn.draw_scene(drawn.camera_above())


@pytest.fixture
def photos(tmp_path, scene, monkeypatch):
    """A folder with two photos, a broken one, a text, and one more in a sub-folder; `measure` uses drawn networks."""
    rgb, labels, corners = scene
    monkeypatch.setattr(measure_command, "make_meter",
                        lambda *asked: FootMeter(drawn.networks_of(labels, corners)))
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.PNG", "a.png", "sub/a.png"):
        Image.fromarray(rgb).save(folder / name)
    (folder / "c.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("no photo")
    return folder


def with_drawn_networks(monkeypatch):
    """`measure` uses drawn networks from now on; returns the names of what it measures, as it does."""
    _, labels, corners = drawn.draw_scene(drawn.camera_above())
    monkeypatch.setattr(measure_command, "make_meter",
                        lambda *asked: FootMeter(drawn.networks_of(labels, corners)))
    return interrupt_before(monkeypatch, None)


def interrupt_before(monkeypatch, name):
    """From now on Ctrl-C comes when the photo of that name is to be measured; returns the names that are measured."""
    attempt, measured = FootMeter.attempt, []

    def interrupted(self, photo, sheet="auto", called=None):
        if Path(photo).name == name:
            raise KeyboardInterrupt
        measured.append(Path(photo).name)
        return attempt(self, photo, sheet, called)

    monkeypatch.setattr(FootMeter, "attempt", interrupted)
    return measured


def run(*arguments, workers=1):
    """With one worker all is done in this process, with what a test has put into it."""
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(measure_command.measure, [*words, "--workers", str(workers)] if words else [])


def test_a_folder_without_its_sub_folders(photos, tmp_path):
    result = run(photos, "--json", tmp_path / "out.json")
    assert result.exit_code == 1  # c.jpg is empty
    answers = json.loads((tmp_path / "out.json").read_text())
    assert [Path(answer["photo"]).name for answer in answers] == ["a.png", "b.PNG", "c.jpg"]
    assert answers[0]["feet"][0]["side"] == "left"
    assert answers[2]["error"]["code"] == "unreadable_image"
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1 and "c.jpg" in lines[0] and "unreadable_image" in lines[0]


def test_recursive_outputs_keep_their_relative_path(photos, tmp_path):
    run(photos, "--recursive", "--overlay", tmp_path / "over", "--masks", tmp_path / "masks")
    for folder, suffix in (("over", ".jpg"), ("masks", ".png")):
        written = sorted(path.relative_to(tmp_path / folder).as_posix() for path in (tmp_path / folder).rglob("*.*"))
        assert written == [f"a{suffix}", f"b{suffix}", f"sub/a{suffix}"]
    with Image.open(tmp_path / "masks" / "a.png") as mask:
        assert mask.mode == "L" and mask.size == (drawn.WIDTH, drawn.HEIGHT)
        assert set(np.unique(np.asarray(mask))) <= {0, 1, 2, 3}


def test_a_photo_that_goes_away_keeps_its_measures(photos, tmp_path, monkeypatch):
    """The overlay reads the photo a second time; by then it may be gone, and nothing measured may be lost."""
    attempt = FootMeter.attempt

    def measured_and_gone(self, photo, *arguments):
        answer = attempt(self, photo, *arguments)
        photo.unlink()
        return answer

    monkeypatch.setattr(FootMeter, "attempt", measured_and_gone)
    result = run(photos / "a.png", photos / "b.PNG", "--overlay", tmp_path / "over", "--json", tmp_path / "out.json")
    assert result.exit_code == 1
    answers = json.loads((tmp_path / "out.json").read_text())
    assert [len(answer["feet"]) for answer in answers] == [1, 1]
    assert all(answer["warnings"][-1]["code"] == "output_not_written" for answer in answers)


def test_an_overlay_never_replaces_the_photo(photos, tmp_path):
    jpeg = photos / "d.jpg"
    with Image.open(photos / "a.png") as picture:
        picture.convert("RGB").save(jpeg, quality=95)
    before = jpeg.read_bytes()
    result = run(jpeg, "--overlay", photos, "--json", tmp_path / "out.json")
    assert result.exit_code == 1 and jpeg.read_bytes() == before
    answer, = json.loads((tmp_path / "out.json").read_text())
    assert answer["warnings"][-1]["code"] == "output_not_written" and len(answer["feet"]) == 1


def test_all_good_is_zero_and_prints_a_table(photos):
    result = run(photos / "a.png")
    assert result.exit_code == 0
    assert "left" in result.output and "a4" in result.output and "length mm" in result.output


def test_json_on_standard_output_is_nothing_but_json(photos):
    result = run(photos / "a.png", photos / "c.jpg", "--json", "-")
    assert result.exit_code == 1
    assert [("error" in answer) for answer in json.loads(result.stdout)] == [False, True]


def test_a_missing_photo_is_a_failed_photo(photos, tmp_path):
    result = run(tmp_path / "gone.jpg", photos / "a.png", "--json", "-")
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert first["error"]["code"] == "unreadable_image" and "error" not in second


def test_wrong_usage_is_two(photos, tmp_path):
    (tmp_path / "empty").mkdir()
    assert run().exit_code == 2
    assert run(photos / "a.png", "--sheet", "a5").exit_code == 2
    nothing = run(tmp_path / "empty")
    assert nothing.exit_code == 2 and "--recursive" in nothing.stderr


def test_a_bundle_that_is_none(photos, tmp_path, monkeypatch):
    monkeypatch.undo()
    result = run(photos / "a.png", "--bundle", tmp_path / "none")
    assert result.exit_code == 1 and "bundle_invalid" in result.stderr


def test_the_page(photos, tmp_path):
    run(photos, "--page", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<article>") == 3 and page.count("data:image/jpeg") == 2 and "unreadable_image" in page


def test_an_interrupt_leaves_what_is_done(photos, tmp_path, monkeypatch):
    interrupt_before(monkeypatch, "b.PNG")
    result = run(photos, "--json", tmp_path / "out.json")
    assert result.exit_code == 130 and "1 of 3" in result.stderr
    assert len(json.loads((tmp_path / "out.json").read_text())) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "photos"]


def test_outputs_never_collide(tmp_path):
    for name in ("x/a.jpg", "x/a.png", "y/a.jpg", "y/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    sources = find_photos([tmp_path / "x", tmp_path / "y", tmp_path / "x" / "a.png"], False)
    assert len(sources) == 4  # the one named twice is measured once
    outputs = [source.output for source in sources]
    assert len(set(outputs)) == 4
    assert outputs[3] == Path("b")
    assert not any(output.is_absolute() or ".." in output.parts for output in outputs)


def test_what_was_measured_is_not_measured_again(photos, tmp_path, monkeypatch):
    out = tmp_path / "out.json"
    interrupt_before(monkeypatch, "c.jpg")
    assert run(photos, "--json", out).exit_code == 130
    before = json.loads(out.read_text())
    monkeypatch.undo()
    measured = with_drawn_networks(monkeypatch)
    result = run(photos, "--json", out, "--resume", "--csv", tmp_path / "out.csv")
    assert measured == ["c.jpg"] and "2 of 3 photos were measured before" in result.stderr
    answers = json.loads(out.read_text())
    assert answers[:2] == before and "error" in answers[2] and result.exit_code == 1
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 4
    # A second time there is nothing left to do, and what failed is still told and still a failure.
    again = run(photos, "--json", out, "--resume")
    assert measured == ["c.jpg"] and again.exit_code == 1 and "unreadable_image" in again.stderr
    assert json.loads(out.read_text()) == answers


@pytest.mark.parametrize("change", ["size", "time", "sheet", "bundle", "overlay", "passing"])
def test_what_has_changed_is_measured_again(photos, tmp_path, monkeypatch, change, bundle_folder):
    measured, out = with_drawn_networks(monkeypatch), tmp_path / "out.json"
    run(photos / "a.png", photos / "b.PNG", "--json", out)
    assert measured == ["a.png", "b.PNG"]
    options = {"sheet": ["--sheet", "a4"], "bundle": ["--bundle", bundle_folder],
               "overlay": ["--overlay", tmp_path / "over"]}.get(change, [])
    if change == "size":
        with open(photos / "a.png", "ab") as stream:
            stream.write(b"\0")
        os.utime(photos / "a.png", ns=(0, (photos / "b.PNG").stat().st_mtime_ns))
    elif change == "time":
        os.utime(photos / "a.png", ns=(0, (photos / "a.png").stat().st_mtime_ns + 1))
    elif change == "passing":
        answers = json.loads(out.read_text())
        answers[0] = {"photo": answers[0]["photo"], "source": answers[0]["source"],
                      "error": {"code": "internal_error", "message": "MemoryError"}}
        out.write_text(json.dumps(answers))
    run(photos / "a.png", photos / "b.PNG", "--json", out, "--resume", *options)
    assert measured[2:] == (["a.png", "b.PNG"] if options else ["a.png"])
    assert all("error" not in answer for answer in json.loads(out.read_text()))


def test_a_batch_that_is_killed_has_lost_nothing(tmp_path):
    """A process of its own and SIGKILL: what it could say at the end it does not get to say."""
    folder, out = tmp_path / "photos", tmp_path / "out.json"
    folder.mkdir()
    sample = Path(deploy.__file__).parent / "samples" / "empty_sheet.jpg"
    names = [f"{number:03d}.jpg" for number in range(60)]
    for name in names:
        shutil.copyfile(sample, folder / name)
    command = [sys.executable, "-c", "import foliopie; foliopie.main()", "measure", str(folder), "--json", str(out)]
    with subprocess.Popen(command, cwd=Path(deploy.__file__).parents[1]) as process:
        part = Path(f"{out}.part")
        while process.poll() is None and (not part.exists() or part.read_bytes().count(b"\n") < 2):
            time.sleep(0.01)
        process.kill()
    assert not out.exists()
    whole = [line for line in part.read_bytes().splitlines() if line.endswith(b"}")]
    assert 2 <= len(whole) < 60
    with open(part, "ab") as stream:
        stream.write(b'{"photo": "cut o')
    for name in names[len(whole) + 2 :]:
        (folder / name).unlink()
    result = run(folder, "--json", out, "--resume")
    assert result.exit_code == 0 and f"{len(whole)} of {len(whole) + 2} photos were measured before" in result.stderr
    answers = json.loads(out.read_text())
    assert [Path(answer["photo"]).name for answer in answers] == names[: len(whole) + 2]
    assert answers[: len(whole)] == [json.loads(line) for line in whole]
    assert not part.exists()


def test_what_resume_cannot_go_on_with(photos, tmp_path):
    assert run(photos / "a.png", "--resume").exit_code == 2
    for text in ("no JSON", '{"photo": "a"}', "[1]"):
        (tmp_path / "out.json").write_text(text)
        result = run(photos / "a.png", "--resume", "--json", tmp_path / "out.json")
        assert result.exit_code == 1 and "holds no answers of this command" in result.stderr
        assert (tmp_path / "out.json").read_text() == text


def test_processes_give_the_answers_of_one(tmp_path):
    samples, told = Path(deploy.__file__).parent / "samples", []
    for workers in (1, 2):
        result = run(samples / "bare_foot.jpg", samples / "none.jpg", samples / "two_feet.jpg", "--json",
                     tmp_path / "out.json", "--overlay", tmp_path / f"over{workers}", workers=workers)
        assert result.exit_code == 1 and "none.jpg: unreadable_image" in result.stderr
        told.append([answer | {"milliseconds": None} for answer in json.loads((tmp_path / "out.json").read_text())])
    assert told[0] == told[1] and ["error" in answer for answer in told[0]] == [False, True, False]
    for name in ("bare_foot.jpg", "two_feet.jpg"):
        assert (tmp_path / "over1" / name).read_bytes() == (tmp_path / "over2" / name).read_bytes()
    assert run(samples, workers=0).exit_code == 2


def test_a_photo_on_standard_input(photos, tmp_path):
    data = (photos / "a.png").read_bytes()
    arguments = ["-", str(photos / "a.png"), "--json", "-", "--overlay", str(tmp_path / "over")]
    result = CliRunner().invoke(measure_command.measure, [*arguments, "--workers", "1"], input=data)
    assert result.exit_code == 0
    piped, file = json.loads(result.stdout)
    assert piped["photo"] == "-" and piped["corners"] == file["corners"]
    assert sorted(path.name for path in (tmp_path / "over").iterdir()) == ["a.jpg", "stdin.jpg"]
    for bad, words in ((b"", "empty"), (data[:2000], "cut short")):
        failed = CliRunner().invoke(measure_command.measure, ["-"], input=bad)
        assert failed.exit_code == 1 and "-: unreadable_image" in failed.stderr and words in failed.stderr


def test_a_photo_that_cannot_be_drawn_stops_nothing(photos, tmp_path, monkeypatch):
    def broken(rgb, measurement):
        raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setattr("deploy.photo_task.draw_measurement", broken)
    result = run(photos / "a.png", photos / "b.PNG", "--overlay", tmp_path / "over", "--json", tmp_path / "out.json")
    assert result.exit_code == 1 and result.stderr.count("output_not_written: ZeroDivisionError") == 2
    assert [len(answer["feet"]) for answer in json.loads((tmp_path / "out.json").read_text())] == [1, 1]


def test_a_place_that_cannot_be_written_is_said(photos, tmp_path):
    (tmp_path / "file").write_text("")
    for option in ("--json", "--csv", "--page"):
        result = run(photos / "a.png", option, tmp_path / "file" / "out")
        assert result.exit_code == 1 and "cannot write" in result.stderr and str(tmp_path / "file") in result.stderr


def test_a_full_disk_leaves_what_was_there_and_is_said(photos, tmp_path, monkeypatch):
    outputs = ["--overlay", tmp_path / "over", "--masks", tmp_path / "masks"]
    assert run(photos / "a.png", *outputs, "--json", "-").exit_code == 0
    before = {path: path.read_bytes() for path in tmp_path.glob("*/a.*")}
    assert len(before) == 3
    whole = Path.write_bytes

    def full(self, data):
        whole(self, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    result = run(photos / "a.png", *outputs, "--json", "-")
    assert result.exit_code == 1
    assert f"output_not_written: No space left on device: {tmp_path / 'masks' / 'a.png'}" in result.stderr
    assert {path: path.read_bytes() for path in tmp_path.glob("*/*") if "a." in path.name} == before

    def unsaid(answers):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("deploy.answers.print_table", unsaid)
    result = run(photos / "a.png")
    assert result.exit_code == 1 and "cannot write standard output: No space left on device" in result.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="another system's pipes")
def test_what_is_no_file_is_written_to_and_never_replaced(photos, tmp_path):
    """As /dev/stdout, or a device: a file that takes its name would take it from everybody."""
    pipe, found = tmp_path / "pipe", []
    os.mkfifo(pipe)
    for option in ("--json", "--csv", "--page"):
        reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
        reader.start()
        assert run(photos / "a.png", option, pipe).exit_code == 0
        reader.join()
    assert json.loads(found[0])[0]["feet"] and found[1].startswith("photo,") and "<html" in found[2]
    assert pipe.is_fifo() and {path.name for path in tmp_path.iterdir()} == {"photos", "pipe"}
    assert run(photos / "a.png", "--json", pipe, "--resume").exit_code == 2


def test_classical_means_ask_no_bundle(photos, tmp_path, scene, monkeypatch):
    monkeypatch.undo()
    result = run(photos / "a.png", "--method", "classical", "--json", tmp_path / "out.json")
    assert result.exit_code == 0
    answer = json.loads((tmp_path / "out.json").read_text())[0]
    corners = np.array([(corner["x"], corner["y"]) for corner in answer["corners"]])
    assert np.abs(corners - scene[2]).max() < 1.5 and answer["sheet"]["format"] == "a4"
    refused = run(photos / "a.png", "--method", "classical", "--bundle", tmp_path)
    assert refused.exit_code == 2 and "asks no network" in refused.stderr
