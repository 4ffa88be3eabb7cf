"""Every target over its seeds and some hundred changes of them, always the same ones: no search, which
`python -m tests.fuzz` is for, but what it needs holds."""

import json
import random
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from scenes.images import PhotoError
from tests.fuzz import __main__ as command
from tests.fuzz import mutation, places, report
from tests.fuzz.targets import NAMES, target

ROOT = Path(__file__).resolve().parents[2]
# How many changes each target is given: those that write files take longer.
CHANGES = dict.fromkeys(NAMES, 60) | {"photo": 400, "manifest": 300, "golden": 300, "request": 300, "mask": 40}
# Their decoder is compiled, and would take this process with it.
APART = ("heic",)
REFUSED = {"dataset": {2}, "mask": {1, 2, 3, 5, 6, 7}, "request": {2, 3, 6}}  # seeds that no answer is given to


def give(name):
    """Gives a target its seeds and their changes."""
    module, rng = target(name), random.Random(7)
    seeds = module.seeds()
    answered = [module.fuzz_one(seed) for seed in seeds]
    assert answered == [number not in REFUSED.get(name, ()) for number in range(len(seeds))]
    for _ in range(CHANGES[name]):
        data = rng.choice(seeds)
        for _ in range(rng.choice((1, 1, 2, 3))):
            data = module.mutated(data, rng)
        module.fuzz_one(data)


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(APART)))
@pytest.mark.filterwarnings("ignore")
def test_seeds_are_answered_and_changes_of_them_answered_or_refused(name):
    give(name)


@pytest.mark.parametrize("name", APART)
def test_what_is_decoded_by_compiled_code_does_not_end_the_process(name):
    program = f"from tests.fuzz.test_fuzz import give; give({name!r})"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr


def raising(*args, **options):
    raise ZeroDivisionError("a fault of the reader's own")


@pytest.mark.parametrize(("name", "reader"), [
    ("photo", "read_photo"), ("dataset", "check_dataset"), ("dataset", "read_dataset"), ("dataset", "fix_dataset"),
    ("mask", "read_mask"), ("golden", "read_golden"), ("coco", "read_coco"), ("label_studio", "read_label_studio"),
    ("tables", "read_plain")])
def test_a_fault_of_a_reader_is_seen(name, reader, monkeypatch):
    module = target(name)
    monkeypatch.setattr(module, reader, raising)
    with pytest.raises(ZeroDivisionError):
        module.fuzz_one(module.seeds()[0])


def test_a_mistake_in_the_service_is_seen(monkeypatch):
    module = target("request")
    monkeypatch.setattr(module.Told, "ask", raising)
    with pytest.raises((AssertionError, ZeroDivisionError)):
        module.fuzz_one(module.seeds()[0])


def test_a_refusal_of_another_kind_is_seen(monkeypatch):
    module = target("photo")

    def refused(*args):
        raise PhotoError("sheet_not_found", "a code that no reader has")

    monkeypatch.setattr(module, "read_photo", refused)
    with pytest.raises(AssertionError):
        module.fuzz_one(module.seeds()[0])


@pytest.mark.parametrize("name", NAMES)
def test_changes_are_the_same_for_the_same_numbers(name):
    module = target(name)
    data = b"\xff\xd8 some bytes" * 40 if name in ("photo", "heic") else module.seeds()[0]
    changed = [module.mutated(data, random.Random(number)) for number in range(20)]
    assert changed == [module.mutated(data, random.Random(number)) for number in range(20)]
    assert len(set(changed)) > 10 and all(isinstance(one, bytes) for one in changed)


def test_no_bytes_at_all_can_be_changed():
    for change in (mutation.mutated_bytes, mutation.mutated_json, mutation.mutated_table, mutation.mutated_image):
        for number in range(50):
            assert isinstance(change(b"", random.Random(number)), bytes)


def test_a_changed_png_has_right_checksums():
    data = bytearray((places.dataset() / "masks" / "0.png").read_bytes())
    assert mutation.png_with_checksums(bytes(data)) == data
    data[20] ^= 1
    fixed = mutation.png_with_checksums(bytes(data))
    assert fixed[:29] == data[:29] and int.from_bytes(fixed[29:33]) == zlib.crc32(data[12:29])
    assert mutation.png_with_checksums(bytes(data[:50])) and mutation.png_with_checksums(b"none") == b"none"


def test_documents_of_any_numbers_can_be_changed():
    data = json.dumps([10**400, 1e308, float("nan")]).encode()
    assert all(mutation.mutated_json(data, random.Random(number)) for number in range(200))


def test_what_is_put_into_a_document_stays_as_it_was():
    before = repr(mutation.WRONG)
    for number in range(500):
        mutation.mutated_json(b'{"a": 1}', random.Random(number))
    assert repr(mutation.WRONG) == before


def test_documents_stay_json_but_for_what_cannot_be_written():
    data, kept = b'{"a": [1, 2, {"b": "c"}], "d": null}', 0
    for number in range(100):
        try:
            json.loads(mutation.mutated_json(data, random.Random(number)))
            kept += 1
        except (ValueError, RecursionError):
            pass
    assert kept > 80


def test_an_input_can_be_given_once_more(tmp_path):
    (tmp_path / "input").write_bytes(b"{")
    done = CliRunner().invoke(command.main, ["replay", "manifest", str(tmp_path / "input")])
    assert done.exit_code == 0 and done.output == f"{tmp_path / 'input'}: refused\n"


def test_the_table_tells_what_was_found():
    search = {"date": "2026-01-02", "seconds": 60.4, "processor": 30, "runs": 1234, "answered": 7, "corpus": 5,
              "branches": 99, "peak_mb": 120, "raised": [{"kind": "ValueError"}], "took too long": 1,
              "took too much memory": 0, "killed the process": 0}
    http = {"seconds": 30.2, "cases": 40, "failures": ["ST1 slow"], "statuses": {"200 measured": 3},
            "service_alive": True, "errors_logged": 0}
    mended = {"target": "mask", "input": "a colour", "before": "KeyError", "now": "refused"}
    text = report.markdown({"versions": {"schemathesis": "4"}, "searches": {"photo": [search, search]}, "http": [http],
                            "mended": [mended], "remarks": ["It was slow."]})
    assert "| `photo` | 121 | 60 | 2,468 | 14 | 5 | 99 | 120 | 4 |" in text and "2026-01-02." in text
    assert "40 requests broke ST1 slow; photos were answered 3 x 200 measured; the service lived" in text
    assert "\n\nIt was slow.\n\n" in text and "| in all | 121 | 60 | 2,468 | 14 |" in text
    assert "| mask | a colour | KeyError | refused |" in text


@pytest.mark.long
def test_a_search_finds_a_planted_fault(tmp_path, monkeypatch):
    pytest.importorskip("atheris")
    from tests.fuzz import campaign

    # Beside what the target does: without a branch to follow there is nothing that libFuzzer tells of.
    name = "golden"
    planted = ("from tests.fuzz import golden\nwhole = golden.fuzz_one\n"
               "golden.fuzz_one = lambda data: whole(data) + 1 / (len(data) % 7)\n")
    monkeypatch.setattr(campaign, "PROGRAM", planted + campaign.PROGRAM)
    found = campaign.run(name, tmp_path, 10)
    assert campaign.is_broken(found) and found["runs"] > 0
    (one,) = found["raised"]
    assert one["kind"] == "ZeroDivisionError" and len((tmp_path / name / "found" / one["input"]).read_bytes()) % 7 == 0
    assert json.loads((tmp_path / name / "runs.json").read_text()) == [found]
