"""The wheel holds everything that measuring needs: it is built, without a network, and measures a photo."""

import configparser
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("scenes", "keypoints", "segmentation", "deploy", "experiments")
TYPED = {"deploy/py.typed", "scenes/py.typed"}
DATA = ("deploy/bundles/default", "deploy/samples", "deploy/templates", "experiments/pictures",
        "experiments/results")


def files_below(folder):
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, of a copy: building leaves a folder behind, out of which the next wheel would be filled up."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "foliopie.py"):
        shutil.copyfile(ROOT / name, source / name)
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "*.params", "*.h5")
        shutil.copytree(ROOT / package, source / package, ignore=ignored)
    command = ["wheel", str(source), "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    done = subprocess.run([sys.executable, "-m", "pip", *command], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("foliopie-*.whl")
    return built


def test_bundle_templates_samples_and_results_are_in_it(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    for folder in DATA:
        wanted = files_below(folder)
        assert wanted and not wanted - inside
    assert "deploy/bundles/default/manifest.json" in inside and "deploy/templates/measurements.html.j2" in inside


def test_every_module_is_in_it_and_nothing_of_the_tests(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    modules = {name for package in PACKAGES for name in files_below(package) if name.endswith(".py")}
    told = {name for name in inside if ".dist-info/" not in name}
    data = {name for folder in DATA for name in files_below(folder)}
    assert told == modules | data | TYPED | {"foliopie.py"}


def test_it_asks_for_the_base_install_alone(wheel):
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    needed = [line.split(": ")[1] for line in archive.read(metadata).decode().splitlines()
              if line.startswith("Requires-Dist") and "extra ==" not in line]  # fmt: skip
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    wanted = [line for line in config["options"]["install_requires"].split("\n") if line]
    assert len(needed) == len(wanted) and all(any(one.startswith(name) for one in needed) for name in (
        "numpy", "opencv-python-headless", "pillow", "pillow-heif", "openvino", "click", "rich", "jinja2"))  # fmt: skip
    entry_points = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert "foliopie = foliopie:main" in archive.read(entry_points).decode()


def test_what_is_in_it_measures_a_photo(wheel, tmp_path):
    """Unpacked and run from elsewhere, so that nothing of the source is found."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    program = "import foliopie, deploy; print(deploy.__file__); foliopie.main()"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    sample = tmp_path / "site" / "deploy" / "samples" / "bare_foot.jpg"
    arguments = ["measure", str(sample), "--json", str(tmp_path / "answer.json"), "--page", str(tmp_path / "page.html")]
    done = subprocess.run([sys.executable, "-c", program, *arguments], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == str(tmp_path / "site" / "deploy" / "__init__.py")
    (answer,) = json.loads((tmp_path / "answer.json").read_text())
    assert [foot["side"] for foot in answer["feet"]] == ["right"] and (tmp_path / "page.html").stat().st_size > 1000
