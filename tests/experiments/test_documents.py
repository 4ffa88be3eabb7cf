import json

from deploy.tables import markdown_table, number
from experiments.documents import head, page, write_results


def test_a_table_has_words_to_the_left_and_numbers_to_the_right():
    assert markdown_table(["", "px", "verdict"], [["a", "1.0", "learnt"]], texts=(0, 2)) == [
        "|  | px | verdict |", "| --- | ---: | --- |", "| a | 1.0 | learnt |"]
    assert (number(None), number(1.234), number(0.00012, ".1e")) == ("-", "1.23", "1.2e-04")


def test_a_page_says_what_is_not_done():
    document = {"scale": "quick", "date": "2026-01-02", "missing": []}
    text = page(document, "Title", "What was done.", ["| a |"], ["How to read it."], "4 photos")
    assert "Scale `quick`, 2026-01-02; 4 photos.\n\n| a |\n\nHow to read it.\n\n![figure](figure.png)" in text
    text = page(document | {"missing": ["one", "two"]}, "Title", "What was done.", ["| a |"], [])
    assert "Scale `quick`, 2026-01-02.\n" in text and "Not done: one, two." in text


def test_results_are_three_files(tmp_path):
    class Figure:
        def savefig(self, stream, format, dpi):
            stream.write(b"drawn")

    document = head("corner-turn", "quick", {"photos": 3}, {"b": "killed", "a": "killed"}, ("numpy", "no-such-library"))
    assert document["missing"] == ["a", "b"] and document["machine"]["no-such-library"] is None
    assert document["machine"]["numpy"]
    write_results(tmp_path / "new", document, "text\n", Figure())
    assert json.loads((tmp_path / "new" / "results.json").read_text()) == document
    assert (tmp_path / "new" / "README.md").read_text() == "text\n"
    assert (tmp_path / "new" / "figure.png").read_bytes() == b"drawn"
