"""`foliopie measure`: what it reads, writes, says, and its exit status. Networks answer from drawn truth."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from deploy import measure_command
from deploy.meter import Meter
from scenes.images import PhotoError

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
                        lambda bundle: Meter(networks=drawn.networks_of(labels, corners)))
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in ("b.PNG", "a.png", "sub/a.png"):
        Image.fromarray(rgb).save(folder / name)
    (folder / "c.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("no photo")
    return folder


def run(*arguments):
    return CliRunner().invoke(measure_command.measure, [str(argument) for argument in arguments])


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

    def gone(path):
        raise PhotoError("unreadable_image", "no such file")

    monkeypatch.setattr("scenes.images.read_photo", gone)
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
    class Interrupted:
        def __init__(self, meter):
            self.meter = meter

        def measure_many(self, sources, sheet):
            yield from self.meter.measure_many(sources[:1], sheet)
            raise KeyboardInterrupt

    make = measure_command.make_meter
    monkeypatch.setattr(measure_command, "make_meter", lambda bundle: Interrupted(make(bundle)))
    result = run(photos, "--json", tmp_path / "out.json")
    assert result.exit_code == 130 and "1 of 3" in result.stderr
    assert len(json.loads((tmp_path / "out.json").read_text())) == 1


def test_outputs_never_collide(tmp_path):
    for name in ("x/a.jpg", "x/a.png", "y/a.jpg", "y/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    sources = measure_command.find_photos([tmp_path / "x", tmp_path / "y", tmp_path / "x" / "a.png"], False)
    assert len(sources) == 4  # the one named twice is measured once
    outputs = [source.output for source in sources]
    assert len(set(outputs)) == 4
    assert outputs[3] == Path("b")
    assert not any(output.is_absolute() or ".." in output.parts for output in outputs)
