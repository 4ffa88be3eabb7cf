import json

import numpy as np

from experiments.rounds import (
    RATE_HEADINGS,
    RATIO_HEADINGS,
    Timed,
    rate_cells,
    read_rounds,
    round_file,
    round_tasks,
    time_calls,
)


def write(out, number_of_round, name, rate):
    file = round_file(out, number_of_round, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"images_per_second": rate}))


def test_every_second_round_goes_backwards_and_what_is_done_is_left_out(tmp_path):
    timed = [Timed("a b", print, (1,), ("ready",)), Timed("c", print, (2,), weight=3.0)]
    tasks = round_tasks(tmp_path, 2, timed, 5)
    assert [task.name for task in tasks] == ["round-1/a-b", "round-1/c", "round-2/c", "round-2/a-b"]
    assert [task.arguments for task in tasks[:2]] == [(1, round_file(tmp_path, 0, "a b")),
                                                      (2, round_file(tmp_path, 0, "c"))]
    assert [(task.after, task.weight, task.threads) for task in tasks[:2]] == [(("ready",), 1.0, 5), ((), 3.0, 5)]
    write(tmp_path, 1, "c", 1.0)
    assert "round-2/c" not in [task.name for task in round_tasks(tmp_path, 2, timed, 5)]


def test_a_ratio_is_to_the_reference_of_the_same_round(tmp_path):
    rounds = {"slow": 10.0, "fast": 30.0}, {"slow": 20.0, "fast": 40.0}, {"fast": 9.0}
    for number_of_round, rates in enumerate(rounds):
        for name, rate in rates.items():
            write(tmp_path, number_of_round, name, rate)
    found = read_rounds(tmp_path, 3, ("slow", "fast", "never"), "slow")
    assert found == {"slow": {"images_per_second": [10.0, 20.0], "ratio": [1.0, 1.0]},
                     "fast": {"images_per_second": [30.0, 40.0, 9.0], "ratio": [3.0, 2.0]}}
    assert rate_cells(found["fast"]) == ["30.0", "9.0 to 40.0", "2.50", "2.00 to 3.00"]
    assert len(rate_cells(found["fast"])) == len(RATE_HEADINGS + RATIO_HEADINGS)
    assert rate_cells({"images_per_second": [1.0], "ratio": []})[2:] == ["-", "-"]
    assert read_rounds(tmp_path, 3, ("slow", "fast", "never"), "never") == {}


def test_photos_are_timed_one_after_another():
    asked = []

    def runtime(images):
        asked.append(images.shape)
        return images.astype(np.float32).mean(axis=(1, 2))

    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    rate, outputs = time_calls(runtime, images, 3)
    assert asked == [(1, 4, 4, 3)] * (2 + 6) and rate > 0
    np.testing.assert_allclose(outputs, images.mean(axis=(1, 2)))
