"""Answers of a batch on their way: what they take of the memory, and that nothing of them is lost on it."""

import json
import tracemalloc

import pytest

from deploy.journal import InOrder, Journal, Kept, answers_text

COUNT = 300


def answer_on(number):
    """An answer as large as that on two feet, with what texts may hold."""
    numbers = [number + place / 7 for place in range(150)]
    return {"photo": f"{number}\n\u2028é.jpg", "feet": [{"numbers": numbers[:75]}, {"numbers": numbers[75:]}],
            "none": None, "empty": [], "flag": True}


def kept_with(journal):
    kept = Kept(journal)
    for number in range(COUNT):
        kept.add(str(number), answer_on(number))
    return kept


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "answers.json")
    journal.begin(keep=False)
    return journal


def memory_of(make):
    """Bytes that what a function gives holds."""
    tracemalloc.start()
    try:
        made = make()
        return tracemalloc.get_traced_memory()[0], made
    finally:
        tracemalloc.stop()


def test_answers_are_kept_without_their_memory(journal):
    # In new memory, as those of a pipe are.
    as_objects, _ = memory_of(lambda: [answer_on(number) for number in range(COUNT)])
    for given, share in ((journal, 0.05), (None, 0.5)):
        held, kept = memory_of(lambda given=given: kept_with(given))
        assert held < share * as_objects
        assert [kept[str(number)] for number in range(COUNT)] == [answer_on(number) for number in range(COUNT)]
        assert "7" in kept and "nobody" not in kept


def test_what_is_read_again_may_be_added_to_and_outlives_the_part(journal):
    kept = Kept(journal)
    kept.add("a", {"photo": "a"})
    assert kept["a"] == {"photo": "a"}
    kept.add("b", {"photo": "b"})
    assert kept["b"] == {"photo": "b"} and kept["a"] == {"photo": "a"}
    answers = InOrder(["b", "a"], kept)
    journal.finish(answers)
    assert not journal.part.exists()
    assert [answer["photo"] for answer in answers] == ["b", "a"] and len(answers) == 2
    assert [answer["photo"] for answer in json.loads(journal.path.read_text())] == ["b", "a"]


def test_an_answer_after_a_line_that_was_cut_off(tmp_path):
    journal = Journal(tmp_path / "answers.json")
    journal.part.write_bytes(b'{"photo": "a", "warnings": []}\n{"pho')
    assert list(journal.read()) == ["a"]
    journal.begin(keep=True)
    kept = Kept(journal)
    kept.add("b", {"photo": "b", "warnings": []})
    assert kept["b"] == {"photo": "b", "warnings": []}
    assert list(Journal(tmp_path / "answers.json").read()) == ["a", "b"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_text_in_parts_is_that_of_the_whole_list(count):
    answers = [answer_on(number) for number in range(count)]
    whole = json.dumps(answers, indent=1, ensure_ascii=False) + "\n"
    assert "".join(answers_text(answers)) == whole
    assert len(list(answers_text(iter(answers)))) == count + 1


def test_what_json_cannot_say_is_refused():
    with pytest.raises(ValueError, match="Out of range float values"):
        list(answers_text([{"length_mm": float("nan")}]))
