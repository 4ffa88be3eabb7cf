"""How runs learnt, read from their folders alone."""

import pytest
from click.testing import CliRunner

pytest.importorskip("mxnet")
pytest.importorskip("matplotlib")

from keypoints import run as runs  # noqa: E402
from keypoints.commands import keypoints as command  # noqa: E402
from keypoints.config import TrainConfig  # noqa: E402
from keypoints.learning import learning_figure, read_learning  # noqa: E402
from keypoints.run import RunError  # noqa: E402


def run_of(folder, errors, samples=10, **settings):
    """A run folder with a history of those mean errors, without weights."""
    folder.mkdir()
    runs.write_config(folder, TrainConfig(batch=4, **settings), {"training": samples})
    lines = []
    for epoch, error in enumerate(errors, 1):
        line = {f"{which}_{figure}_{unit}": error for which in ("all", "visible", "covered")
                for figure in ("mean", "median", "p95") for unit in ("px", "percent")}
        lines.append(line | {"epoch": epoch, "validation_loss": 0.5, "images_per_second": 9.0, "waiting_share": 0.01})
    lines[0]["covered_median_percent"] = lines[0]["covered_median_px"] = None  # no such corner
    runs.write_history(folder, lines)
    return folder


def test_image_steps_go_on_from_run_to_run(tmp_path):
    first = run_of(tmp_path / "first", [4.0, 3.0], height=128, width=96)
    second = run_of(tmp_path / "second", [2.5, 2.0, 1.5], samples=8)
    lines = read_learning([first, second])
    # Whole batches of 4: 12 images an epoch of 10 samples, 8 of 8.
    assert [line["image_steps"] for line in lines] == [12, 24, 32, 40, 48]
    assert [line["run"] for line in lines] == ["first"] * 2 + ["second"] * 3
    drawn = learning_figure(lines).axes[0]
    mean = [line for line in drawn.lines if len(line.get_xdata()) == 3][0]
    assert list(mean.get_xdata()) == [32, 40, 48] and list(mean.get_ydata()) == [2.5, 2.0, 1.5]
    assert [text.get_text() for text in drawn.texts] == ["128 x 96", "256 x 192"]


def test_the_command_prints_and_draws(tmp_path):
    run = run_of(tmp_path / "run", [4.0, 3.0])
    done = CliRunner().invoke(command, ["history", str(run), "--figure", str(tmp_path / "plots" / "curve.png")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "plots" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_released_run_has_nothing_to_tell(tmp_path):
    folder = tmp_path / "released"
    folder.mkdir()
    runs.write_config(folder, TrainConfig(), {"training": 10})
    with pytest.raises(RunError, match="released has no history.*keypoints train"):
        read_learning([folder])
