import json

from deploy.processes import Task
from experiments.cases import Case, case_file, describe_cases, draw_curves, run_folder, run_missing


def test_the_cheapest_is_first_and_what_is_done_is_not_done_again(tmp_path, cases_in_this_process):
    three = (Case("dear", 9), Case("a cheap one", 1, {"loss": "dice"}), Case("broken", 4, {"broken": True}))
    done = []

    def work(case, file):
        done.append(case.name)
        if case.settings.get("broken"):
            raise RuntimeError("out of memory")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"mean": case.image_steps}))

    def make_task(case):
        return Task(case.name, work, (case, case_file(tmp_path, case)), weight=case.image_steps)

    for expected in (["a cheap one", "broken", "dear"], ["broken"]):
        found, faults = run_missing(tmp_path, three, make_task, 2)
        assert done == expected and faults == {"broken": "out of memory"}
        assert list(found.items()) == [("dear", {"mean": 9}), ("a cheap one", {"mean": 1})]  # in the order of the cases
        done.clear()
    assert run_missing(tmp_path, three[:2], make_task, 2) == (found, {}) and not done
    assert (tmp_path / "cases" / "a-cheap-one.json").exists() and run_folder(tmp_path, three[1]).name == "a-cheap-one"
    assert describe_cases(three[1:2]) == {"a cheap one": {"image_steps": 1, "settings": {"loss": "dice"}}}


def test_curves_are_drawn_beside_one_another():
    drawn = draw_curves({"models": {"one": [[8, 0.5], [16, 0.9]]}, "losses": {}}, "mean IoU", 0.95, "linear")
    first, second = drawn.axes
    curve, limit = first.get_lines()
    assert curve.get_xydata().tolist() == [[8, 0.5], [16, 0.9]] and set(limit.get_ydata()) == {0.95}
    assert first.get_ylabel() == "mean IoU" and second.get_title() == "losses" and second.get_legend() is None
