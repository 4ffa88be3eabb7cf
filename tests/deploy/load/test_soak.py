"""Photos in a row with parts that take no time; and, long, for real."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

import foliopie
from deploy.load import soak
from deploy.load.report import memory_cells, memory_lines, write_report
from deploy.load.soak import Request, SoakError, _Lines, figure, markdown, run, soak_measure, told_of
from deploy.load.watch import Sample


def samples(handles):
    return [Sample(float(step), 10 * step, 1, 100.0, 60.0, 50.0, 20 + handles * step, 4) for step in range(21)]


@pytest.fixture
def parts(monkeypatch):
    """What was done, in order; the second part loses a handle every 10 photos, and is interrupted as long as `faults`
    says."""
    done, faults = [], []

    def part(name, handles):
        def do(request, paths, tick):
            done.append(name)
            if name in faults:
                raise KeyboardInterrupt
            return told_of(samples(handles), request.count, 0, 8.0)

        return do

    monkeypatch.setattr(soak, "soak_meter", part("meter", 0))
    monkeypatch.setattr(soak, "soak_measure", part("measure", 1))
    return done, faults


def test_an_interrupted_test_goes_on_with_the_part_that_was_not_done(parts, tmp_path):
    done, faults = parts
    faults.append("measure")
    request = Request(tmp_path / "out", count=200)
    with pytest.raises(KeyboardInterrupt):
        run(request)
    faults.clear()
    document = run(request)
    assert done == ["meter", "measure", "measure"]
    assert document["parts"]["measure"]["memory"]["handles"]["per_1000"] == pytest.approx(100.0)
    assert memory_cells(document["parts"]["meter"]["memory"])[3] == [
        "file handles", "20", "20", "20", "20", "20", "+0.00", "+0.00"]
    assert "file handles: 20.0 to 40.0, per 1,000 photos +100.00" in memory_lines(
        document["parts"]["measure"]["memory"])
    write_report(tmp_path / "report", document, markdown, figure)
    text = (tmp_path / "report" / "README.md").read_text()
    assert "# 200 photos in a row" in text and "25.00 a second" in text
    assert str(tmp_path) not in (tmp_path / "report" / "results.json").read_text()
    with pytest.raises(ValueError, match="count was 200, is 300"):
        run(replace(request, count=300))


def test_lines_of_a_file_that_grows_are_counted_and_kept(tmp_path):
    path, ticks = tmp_path / "part", []
    lines = _Lines(path, ticks.append)
    assert lines.count() == 0
    path.write_bytes(b'{"a": 1}\n{"b"')
    assert lines.count() == 1
    with open(path, "ab") as stream:
        stream.write(b": 2}\n\n")
    assert lines.count() == 3
    path.unlink()
    assert lines.count() == 3 and ticks == [1, 2]


def test_a_measure_that_does_not_answer_is_said(tmp_path):
    request = Request(tmp_path / "out", bundle=tmp_path / "nowhere", count=3)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"photo")
    with pytest.raises(SoakError, match="status 1 and 0 of 3 answers"):
        soak_measure(request, [photo], lambda count: None)
    assert not (tmp_path / "out" / "photos").exists() and photo.exists()


@pytest.mark.long
def test_both_parts_for_real(tmp_path):
    done = CliRunner().invoke(foliopie.main, ["deploy", "soak", "--out", str(tmp_path / "out"), "--count", "60"])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out" / "results.json").read_text())["parts"]
    for part in found.values():
        assert part["failed"] == 0 and part["memory"]["handles"]["last"] <= part["memory"]["handles"]["first"] + 3
    assert found["measure"]["samples"]["processes"][-1] == 3 and "file handles" in done.output
