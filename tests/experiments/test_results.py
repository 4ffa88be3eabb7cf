import pytest

from experiments.results import cells, figure, headings, markdown, rows


def comparison(mean, low, high, settings=None):
    interval = {"mean": mean, "low": low, "high": high}
    return {"by_setting": interval, "by_photo": interval, "settings": settings or {"floor": low, "desk": high}}


def arm(successes, mean, difference=None, ratio=None, covered=(None, None), seeds=(0.1, 0.3)):
    return {"successes": successes, "visible_median_percent": [0.5, 1.0], "covered_median_percent": list(covered),
            "mean_percent": mean, "difference": difference, "log2_ratio": ratio,
            "seed_differences": list(seeds) if difference else None}


@pytest.fixture
def document():
    return {
        "scale": "paper", "date": "2026-01-02", "reference": "all", "least_seeds": 2, "missing": ["plain/seed-2"],
        "photos": {"name": "phones", "count": 26, "settings": {"floor": 20, "desk": 6}},
        "arms": {
            "all": arm([20, 23], [1.0, 2.0], covered=(1.0, 3.0)),
            "without-sheet": arm([19, 19], [2.0, 2.0], comparison(0.2, 0.1, 0.4), comparison(1.0, 0.0, 2.0)),
            "without-light": arm([24, 24], [1.0, 1.0], comparison(-0.2, -0.4, -0.1), comparison(-1.0, -2.0, -1.0),
                                 seeds=(-0.3, -0.1)),
            "plain": arm([24, 24], [1.0, 1.0], comparison(9.0, -0.4, 30.0), comparison(0.0, -1.0, 1.0)),
        },
    }  # fmt: skip


def test_rows_average_seeds_and_judge_by_the_interval(document):
    found = {row["name"]: row for row in rows(document)}
    assert [row["verdict"] for row in found.values()] == ["", "worse", "better", "cannot be told"]
    assert (found["all"]["success"], found["all"]["mean"], found["all"]["covered"]) == (21.5, 1.5, 2.0)
    assert found["all"]["difference"] is None and found["plain"]["covered"] is None
    assert found["without-sheet"]["difference"] == (0.2, 0.1, 0.4)
    assert found["without-sheet"]["ratio"] == (2.0, 1.0, 4.0)


@pytest.mark.parametrize(("seeds", "least", "verdict"), [
    ((0.2,), 1, "worse"), ((0.2, 0.1, 0.3), 3, "worse"), ((0.2, 0.2), 3, "too few seeds"),
    ((0.5, 0.3, -0.1), 3, "cannot be told"),  # photos agree, trainings do not
])  # fmt: skip
def test_a_verdict_needs_seeds_that_agree(document, seeds, least, verdict):
    document["arms"]["without-sheet"]["seed_differences"] = list(seeds)
    document["least_seeds"] = least
    assert rows(document)[1]["verdict"] == verdict


def test_the_table_has_a_cell_for_each_heading(document):
    assert {len(line) for line in cells(document)} == {len(headings(document))}
    text = markdown(document, "Title", "What was done.")
    assert "| without-light | 24.0 | 0.75 | - | 1.00 | -0.20 [-0.40, -0.10] | 0.50 [0.25, 0.50] | better |" in text
    assert "| all | 21.5 | 0.75 | 2.00 | 1.50 | - | - | - |" in text
    assert "found, of 26" in text and "from 2 settings" in text and "Not done: plain/seed-2." in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {9} and len(table) == 6
    document["photos"]["settings"], document["missing"] = None, []
    text = markdown(document, "Title", "What was done.")
    assert "each a setting of its own" in text and "Not done" not in text


def test_the_figure_has_a_line_for_each_arm_but_the_reference(document, tmp_path):
    drawn = figure(document, "Title")
    (panel,) = drawn.axes
    # From the top down in the table's order.
    assert [label.get_text() for label in panel.get_yticklabels()] == ["plain", "without-light", "without-sheet"]
    intervals = [line.get_xdata() for line in panel.lines if line.get_linewidth() == 2]
    assert [tuple(line) for line in intervals] == [(-0.4, 30.0), (-0.4, -0.1), (0.1, 0.4)]
    drawn.savefig(tmp_path / "figure.png")
    document["arms"] = {"all": document["arms"]["all"]}
    figure(document, "Title").savefig(tmp_path / "empty.png")
