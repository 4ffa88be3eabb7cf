"""Every sub-command answers --help, and does so without importing anything heavy."""

import configparser
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import foliopie
from deploy.service.refusal import STATUS_OF

ROOT = Path(__file__).resolve().parents[1]
SUBCOMMANDS = [
    [],
    ["measure"], ["serve"],
    ["scenes"], ["scenes", "render"], ["scenes", "sheet"], ["scenes", "benchmark"], ["scenes", "check"],
    ["scenes", "stats"], ["scenes", "clean"], ["scenes", "labels"], ["scenes", "import"], ["scenes", "export"],
    ["keypoints"], ["keypoints", "train"], ["keypoints", "evaluate"], ["keypoints", "calibrate"],
    ["keypoints", "release"], ["keypoints", "history"], ["keypoints", "heatmaps"],
    ["segmentation"], ["segmentation", "train"], ["segmentation", "evaluate"], ["segmentation", "train-side"],
    ["segmentation", "release"], ["segmentation", "models"],
    ["deploy"], ["deploy", "export"], ["deploy", "quantize"], ["deploy", "verify"], ["deploy", "benchmark"],
    ["deploy", "serving"], ["deploy", "load"], ["deploy", "soak"],
    ["experiments"], ["experiments", "list"], ["experiments", "report"], ["experiments", "run"],
    ["experiments", "compare"],
]  # fmt: skip
HEAVY = {
    "numpy", "cv2", "PIL", "openvino", "mxnet", "gluoncv", "tensorflow", "keras", "onnx", "onnxruntime",
    "tf2onnx", "mitsuba", "trimesh", "scipy", "skimage", "pandas", "matplotlib", "jinja2", "rich",
    "sklearn", "pycocotools", "mitsuba_oidn", "fastapi", "pydantic", "uvicorn", "prometheus_client", "ray",
}  # fmt: skip
# Runs the command line in this interpreter, then names what it has loaded on the last line of stderr.
PROGRAM = """
import json, sys, foliopie
code = foliopie.main(sys.argv[1:], standalone_mode=False)
print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize("words", SUBCOMMANDS, ids=lambda words: " ".join(["foliopie", *words]))
def test_help_answers_and_loads_nothing_heavy(words):
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words, "--help"], cwd=ROOT, capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: ") and "--help" in done.stdout
    assert not set(json.loads(done.stderr.splitlines()[-1])) & HEAVY


def test_no_subcommand_is_missing_from_the_list_above():
    context = click.Context(foliopie.main)
    found = [[]]
    for name in foliopie.COMMANDS:
        command = foliopie.main.get_command(context, name)
        found.append([name])
        found.extend([name, inner] for inner in getattr(command, "commands", {}))
    assert sorted(found) == sorted(SUBCOMMANDS)


def test_the_overview_names_every_command():
    shown = CliRunner().invoke(foliopie.main, ["--help"]).output
    for name, (_, line) in foliopie.COMMANDS.items():
        assert name in shown and line.split()[0] in shown


def test_an_unknown_command_is_wrong_usage():
    result = CliRunner().invoke(foliopie.main, ["mesure"])
    assert result.exit_code == 2
    assert "mesure" in result.output


def group_whose_command_fails_to_import(monkeypatch, missing: str) -> click.Group:
    @click.command()
    def train():
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    class Module:
        command = train

    monkeypatch.setattr(importlib, "import_module", lambda name: Module)
    return foliopie.LazyGroup(lazy_commands={"train": ("anywhere:command", "Train.")})


def test_a_framework_that_is_not_installed_is_one_line_with_the_way_out(monkeypatch):
    group = group_whose_command_fails_to_import(monkeypatch, "mxnet.gluon")
    result = CliRunner().invoke(group, ["train"])
    assert result.exit_code == 1
    assert result.output.strip().count("\n") == 0
    assert "foliopie[train-keypoints]" in result.output


def test_a_mistake_of_our_own_is_not_hidden_as_a_missing_framework(monkeypatch):
    group = group_whose_command_fails_to_import(monkeypatch, "scenes.no_such_module")
    result = CliRunner().invoke(group, ["train"])
    assert isinstance(result.exception, ModuleNotFoundError)


def test_every_extra_that_a_message_names_exists():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert set(foliopie.EXTRA_OF.values()) <= set(config["options.extras_require"])


def test_the_readme_lists_every_code_that_an_answer_can_have():
    sources = "\n".join(
        (ROOT / path).read_text() for path in ("deploy/gate.py", "deploy/meter.py", "deploy/bundle.py",
                                               "deploy/photo_task.py", "scenes/images.py", "deploy/service/refusal.py")
    )
    tables = (ROOT / "README.md").read_text().split("Errors, a closed list:")[1].split("\n## ")[0]
    listed = re.findall(r"^\| `([a-z_]+)` \|", tables, re.MULTILINE)
    assert len(listed) == len(set(listed))
    used = re.findall(r'(?:Caution|SheetError|PhotoError)\(\s*"(\w+)"|"code": "(\w+)"', sources)
    assert {one or other for one, other in used} <= set(listed)
    assert set(STATUS_OF) <= set(listed)
    assert [code for code in listed if f'"{code}"' not in sources] == []
