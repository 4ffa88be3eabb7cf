import json

import pytest
from click.testing import CliRunner

from foliopie import main
from scenes.rendering.benchmark import Stopwatch


def test_stopwatch_adds_up_by_part():
    watch = Stopwatch()
    for part in ("a", "b", "a"):
        with watch(part):
            pass
    assert set(watch.seconds) == {"a", "b"}
    with pytest.raises(RuntimeError), watch("c"):
        raise RuntimeError
    assert watch.seconds["c"] >= 0


@pytest.mark.slow
def test_command_prints_scenes_a_minute_and_the_parts(tmp_path):
    numbers = tmp_path / "numbers.json"
    result = CliRunner().invoke(main, ["scenes", "benchmark", "--count", "1", "--size", "48x64", "--without", "legs",
                                       "--json", str(numbers)])
    assert result.exit_code == 0, result.output
    for word in ("scenes/min", "peak MiB", "light", "denoising", "camera", "writing"):
        assert word in result.output
    run = json.loads(numbers.read_text())["runs"][0]
    assert run["workers"] == 1
    total_ms = 60_000 / run["scenes_per_minute"]
    assert sum(run["milliseconds"].values()) <= total_ms * 1.001
    assert sum(run["milliseconds"].values()) > total_ms * 0.5
