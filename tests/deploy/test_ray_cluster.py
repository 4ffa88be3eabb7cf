"""`foliopie measure --ray`: a stand-in for Ray that works in this process, and, marked long, Ray itself."""

import importlib.util
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from PIL import Image

import deploy
import foliopie
from deploy import measure_command, photo_task, ray_cluster
from deploy.meter import FootMeter
from deploy.ray_cluster import bytes_of, differences, what_answers_depend_on
from deploy.sources import Source
from scenes.images import PhotoError

# Test folders are no packages: the drawn scenes of the meter's tests are loaded by their path.
_spec = importlib.util.spec_from_file_location("drawn_scenes", Path(__file__).with_name("test_meter.py"))
drawn = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(drawn)

ROOT = Path(deploy.__file__).parents[1]


class RayError(Exception):
    pass


class ActorDiedError(RayError):
    actor_init_failed = False


class RayTaskError(RayError):
    def __init__(self, cause):
        super().__init__(f"the other machine's traceback\n{type(cause).__name__}: {cause}")
        self.cause = cause


@dataclass(frozen=True, eq=False)
class Reference:
    handle: object
    function: object
    arguments: tuple


class StandIn:
    """What of Ray's interface is used, in one process. kills: {name of a photo: how often its worker dies}."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError, RayActorError=ActorDiedError)

    def __init__(self):
        self.kills, self.inits, self.shutdowns, self.options, self.sent, self.actors = Counter(), [], 0, None, [], []
        self.refused = []

    def init(self, address, **options):
        if address in self.refused:
            raise ConnectionError("what goes before\nnobody is there")
        self.inits.append((address, options))

    def shutdown(self):
        self.shutdowns += 1

    def cluster_resources(self):
        return {"CPU": 3.0}

    def put(self, value):
        return value

    def remote(self, kind):
        def new():
            actor = kind()
            handle = SimpleNamespace(dead=False)
            for name in ("begin", "look"):
                call = partial(Reference, handle, getattr(actor, name))
                setattr(handle, name, SimpleNamespace(remote=lambda *arguments, call=call: call(arguments)))
            self.actors.append(handle)
            return handle

        def options(**given):
            self.options = given
            return SimpleNamespace(remote=new)

        return SimpleNamespace(options=options)

    def wait(self, references, num_returns, timeout):
        return references[:1], references[1:]

    def get(self, reference):
        print("(raylet) words of Ray's own")
        if len(reference.arguments) == 2:  # a photo's name and bytes
            self.sent.append(reference.arguments)
            name = Path(reference.arguments[0]).name
            reference.handle.dead = self.kills[name] > 0
            self.kills[name] -= 1
        if reference.handle.dead:
            raise ActorDiedError("twelve lines")
        try:
            return reference.function(*reference.arguments)
        except Exception as error:
            raise RayTaskError(error) from error

    def kill(self, handle):
        handle.dead = True


@pytest.fixture(scope="module")
def scene():
    return drawn.draw_scene(drawn.camera_above())


@pytest.fixture
def ray(scene, monkeypatch):
    """A StandIn in place of Ray; networks answer from drawn truth."""
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    rgb, labels, corners = scene
    networks = drawn.networks_of(labels, corners)
    for place, name in ((photo_task, "meter_of"), (photo_task, "meter_alone"), (measure_command, "make_meter")):
        monkeypatch.setattr(place, name, lambda *asked: FootMeter(networks))
    stand_in.rgb = rgb
    with socket.create_server(("127.0.0.1", 0)) as server:
        stand_in.address = f"127.0.0.1:{server.getsockname()[1]}"
        yield stand_in


@pytest.fixture
def photos(tmp_path, ray):
    """A folder with three photos, an empty one, and one more that is damaged."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "e.png"):
        Image.fromarray(ray.rgb).save(folder / name)
    (folder / "c.jpg").write_bytes(b"")
    (folder / "d.png").write_bytes((folder / "a.png").read_bytes()[:3000])
    return folder


def run(*arguments, given=None):
    return CliRunner().invoke(measure_command.measure, [str(argument) for argument in arguments], input=given)


def told(path):
    return [answer | {"milliseconds": None} for answer in json.loads(path.read_text())]


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_as_without_it(photos, ray, tmp_path):
    asked = {}
    for name, options in {"plain": ["--workers", 1], "ray": ["--ray", ray.address]}.items():
        out = tmp_path / name
        result = run(photos, photos / "none.jpg", photos / "sub", "--json", out / "a.json", "--csv", out / "a.csv",
                     "--overlay", out / "over", "--masks", out / "masks", "--page", out / "page.html", *options)
        asked[name] = result.exit_code, result.stdout, result.stderr, told(out / "a.json"), files_of(out)
    asked["plain"][4].pop("a.json"), asked["ray"][4].pop("a.json")
    assert asked["plain"] == asked["ray"]
    assert asked["ray"][0] == 1 and len(asked["ray"][4]) == 8 and len(asked["ray"][3]) == 7
    assert [answer.get("error", {}).get("code") for answer in asked["ray"][3]] == [
        None, None, "unreadable_image", "unreadable_image", None, "unreadable_image", "unreadable_image"]
    assert ray.inits[0][0] == ray.address and ray.shutdowns == 1
    assert ray.options == {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0}
    # What workers got are the bytes of photos; of what is no file they heard nothing.
    assert {Path(name).name: type(data) for name, data in ray.sent} == dict.fromkeys(
        ("a.png", "b.png", "c.jpg", "d.png", "e.png"), bytes)
    assert len(ray.actors) == 3  # one a processor of the cluster


def test_a_photo_that_kills_its_worker_once_is_measured_and_twice_is_lost(photos, ray, tmp_path):
    ray.kills.update({"a.png": 1, "e.png": 2})
    result = run(photos, "--json", tmp_path / "a.json", "--ray", ray.address, "--workers", 2)
    answers = told(tmp_path / "a.json")
    assert [Path(answer["photo"]).name for answer in answers] == ["a.png", "b.png", "c.jpg", "d.png", "e.png"]
    assert answers[0]["feet"] and answers[4]["error"] == {
        "code": "internal_error",
        "message": "no answer from 2 workers; of the last: the Ray worker died; please report it"}
    assert result.exit_code == 1 and result.stdout == ""
    assert "a.png: the Ray worker died; it is given to another worker" in result.stderr
    assert Counter(Path(name).name for name, _ in ray.sent)["e.png"] == 2


def test_an_interrupt_keeps_what_is_done_and_resume_goes_on(photos, ray, tmp_path, monkeypatch):
    wait = ray.wait

    def interrupted(references, **options):
        if len(ray.sent) == 2:
            raise KeyboardInterrupt
        return wait(references, **options)

    options = photos, "--json", tmp_path / "a.json", "--ray", ray.address, "--workers", 1
    with monkeypatch.context() as patched:
        patched.setattr(ray, "wait", interrupted)
        result = run(*options)
    assert result.exit_code == 130 and "interrupted: 2 of 5" in result.stderr
    assert ray.shutdowns == 1 and all(actor.dead for actor in ray.actors)
    before = told(tmp_path / "a.json")
    result = run(*options, "--resume")
    assert "2 of 5 photos were measured before" in result.stderr and len(ray.sent) == 5
    assert told(tmp_path / "a.json")[:2] == before and len(told(tmp_path / "a.json")) == 5
    assert run(*options, "--resume").exit_code == 1 and len(ray.inits) == 2  # nothing left: no cluster is asked for


def test_a_cluster_that_goes_away_leaves_what_is_done(photos, ray, tmp_path, monkeypatch):
    wait = ray.wait

    def gone(references, **options):
        if len(ray.sent) == 2:
            raise ConnectionError("the head node is silent")
        return wait(references, **options)

    options = photos, "--json", tmp_path / "a.json", "--ray", ray.address, "--workers", 1
    with monkeypatch.context() as patched:
        patched.setattr(ray, "wait", gone)
        result = run(*options)
    assert result.exit_code == 1 and "cannot be reached any more: the head node is silent" in result.stderr
    assert run(*options, "--resume").stderr.startswith("2 of 5 photos were measured before") and len(ray.sent) == 5


def test_standard_input_and_standard_output(photos, ray):
    result = run("-", "--json", "-", "--ray", ray.address, given=(photos / "a.png").read_bytes())
    answer, = json.loads(result.stdout)  # without a word of Ray's
    assert result.exit_code == 0 and answer["photo"] == "-" and answer["feet"] and "source" not in answer


def test_a_cluster_of_its_own_leaves_nothing_behind(photos, ray):
    assert run(photos / "a.png", "--ray", "local", "--workers", 2).exit_code == 0
    (address, options), = ray.inits
    assert address == "local" and options["num_cpus"] == 2 and not Path(options["_temp_dir"]).exists()


def test_what_goes_wrong_at_the_beginning_is_one_line(photos, ray, monkeypatch):
    words_on = {"head": "it must be local, HOST:PORT or ray://HOST:PORT", ray.address: ": nobody is there",
                "127.0.0.1:1": "refused: start one there", "ray://127.0.0.1:99999": "no Ray cluster"}
    for address, words in words_on.items():
        ray.refused = [address]
        result = run(photos / "a.png", "--ray", address)
        assert result.exit_code == 1 and words in result.stderr and result.stderr.count("\n") == 1
    ray.refused = []
    here = what_answers_depend_on()
    with monkeypatch.context() as patched:
        patched.setattr(ray_cluster, "what_answers_depend_on", iter([here | {"openvino": "1.0"}, here]).__next__)
        result = run(photos / "a.png", "--ray", ray.address)
    assert result.exit_code == 1 and "in place of 1.0: other versions may give other millimetres" in result.stderr
    monkeypatch.setattr(ray_cluster, "task_alone", lambda *asked: 1 / 0)
    result = run(photos / "a.png", "--ray", ray.address)
    assert result.exit_code == 1
    assert "a Ray worker cannot begin: ZeroDivisionError: division by zero" in result.stderr


def test_without_ray_the_way_out_is_named(photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    result = CliRunner().invoke(foliopie.main, ["measure", str(photos / "a.png"), "--ray", "local"])
    assert result.exit_code == 1 and "pip install 'foliopie[ray]'" in result.stderr


def test_workers_make_the_bundle_out_of_what_they_are_sent(bundle_folder):
    from deploy.bundle import Bundle

    held = Bundle.load(bundle_folder, hold=True)
    worker, needed = ray_cluster.Worker(), what_answers_depend_on()
    options = "auto", None, None, False, "0" * 16
    sent = replace(pickle.loads(pickle.dumps(held)), folder=Path("of", "another", "machine"))
    assert worker.begin(needed, sent, options) is None
    sample = Path(deploy.__file__).parent / "samples" / "bare_foot.jpg"
    looked = worker.look("one", sample.read_bytes())
    expected = photo_task.task_alone(held, 1, *options).look("one", sample)
    assert looked.answer | {"milliseconds": None} == expected.answer | {"milliseconds": None}


def test_what_differs_is_named_and_every_module_counts(tmp_path, monkeypatch):
    here = what_answers_depend_on()
    assert differences(here, what_answers_depend_on()) == ""
    assert differences(here, here | {"numpy": "0.1"}) == f"numpy 0.1 in place of {here['numpy']}"
    module = tmp_path / "deploy" / "ray_cluster.py"
    module.parent.mkdir()
    codes = []
    for text in ("one", "two"):
        module.write_text(text)
        monkeypatch.setattr(ray_cluster, "__file__", str(module))
        codes.append(what_answers_depend_on()["foliopie's code"])
    assert len({*codes, here["foliopie's code"]}) == 3


def test_what_is_sent_of_a_source(tmp_path, monkeypatch):
    def source(name, data=None):
        return Source(name, tmp_path / name, Path("out"), data)

    (tmp_path / "file").write_bytes(b"0123")
    assert bytes_of(source("file")) == b"0123" and bytes_of(source("-", b"56")) == b"56"
    os.mkfifo(tmp_path / "pipe")  # would never end
    for name, words in (("none", "no such file"), ("pipe", "no regular file"), (".", "this is a folder")):
        with pytest.raises(PhotoError, match=words):
            bytes_of(source(name))
    Image.new("RGB", (400, 400)).save(tmp_path / "large.bmp")
    monkeypatch.setattr(ray_cluster, "MAX_SENT", 1000)
    with pytest.raises(PhotoError, match="has 480054 bytes, and at most 1000 are sent"):
        bytes_of(source("large.bmp"))


@pytest.mark.slow
@pytest.mark.long
def test_ray_itself_gives_the_same_and_loses_nothing_with_a_worker(tmp_path):
    """A cluster of two workers on this machine, one of which is killed while it measures; about a minute."""
    pytest.importorskip("ray")
    folder = tmp_path / "photos"
    folder.mkdir()
    samples = sorted(Path(deploy.__file__).parent.glob("samples/*.jpg"))
    for number in range(40):
        (folder / f"{number:02d}.jpg").write_bytes(samples[number % len(samples)].read_bytes())
    (folder / "40.jpg").write_bytes(b"no photo")
    command = [sys.executable, "-c", "import foliopie; foliopie.main()", "measure", str(folder), "--workers", "2"]
    plain = subprocess.run([*command, "--json", tmp_path / "plain.json", "--overlay", tmp_path / "plain"], cwd=ROOT,
                           check=False)
    killed, environment = False, os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*command, "--json", tmp_path / "ray.json", "--overlay", tmp_path / "ray", "--ray", "local"],
                          cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not killed:
            time.sleep(0.05)
            for worker in descendants(process.pid):
                if b"Worker.look" in commands(worker) and not killed:
                    os.kill(worker, signal.SIGKILL)
                    killed = True
        said = process.communicate()[1]
    assert killed and process.returncode == plain.returncode == 1
    assert "the Ray worker died; it is given to another worker" in said
    assert told(tmp_path / "ray.json") == told(tmp_path / "plain.json")
    assert files_of(tmp_path / "ray") == files_of(tmp_path / "plain") and len(files_of(tmp_path / "ray")) >= 32


def descendants(parent):
    """Process ids of all that a process started, and of what those did."""
    children = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            children.setdefault(int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1]), []).append(
                int(folder.name))
        except OSError:  # it has ended
            continue
    found, waiting = [], [parent]
    while waiting:
        new = children.get(waiting.pop(), [])
        found, waiting = found + new, waiting + new
    return found


def commands(process):
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""
