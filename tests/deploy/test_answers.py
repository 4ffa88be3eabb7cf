"""A batch as CSV and as a table: one row a foot, and nobody left out."""

import csv
import io

from deploy.answers import CSV_COLUMNS, csv_text, print_table

FOOT = {"side": "left", "side_confidence": 0.9, "length_mm": 251.3, "width_mm": 97.8, "touches_border": False,
        "uncertainty_mm": {"length": 8.4, "width": 1.1},
        "shoe_sizes": {"eu": 39.5, "uk": 6.5, "us_men": 7.5, "us_women": 9.0, "child": False}}
CHILD = FOOT | {"side": "right", "shoe_sizes": {"eu": 24.5, "uk": 7.5, "us_men": None, "us_women": None, "child": True}}
SHEET = {"format": "a4", "long_side": "vertical", "confidence": 0.97}
WARNINGS = [{"code": "corner_covered", "message": "..."}, {"code": "too_dark", "message": "..."}]
ANSWERS = [
    {"photo": 'a, "b".jpg', "sheet": SHEET, "feet": [FOOT, CHILD], "warnings": WARNINGS},
    {"photo": "none.jpg", "sheet": SHEET, "feet": [], "warnings": []},
    {"photo": "bad.jpg", "error": {"code": "sheet_not_found", "message": "no sheet, none"}},
]


def test_every_foot_every_empty_sheet_and_every_error_has_a_row():
    rows = list(csv.DictReader(io.StringIO(csv_text(ANSWERS))))
    assert list(rows[0]) == list(CSV_COLUMNS)
    assert [row["photo"] for row in rows] == ['a, "b".jpg', 'a, "b".jpg', "none.jpg", "bad.jpg"]
    left, right, none, bad = rows
    assert left == {"photo": 'a, "b".jpg', "error": "", "message": "", "sheet": "a4", "sheet_confidence": "0.97",
                    "side": "left", "side_confidence": "0.9", "length_mm": "251.3", "length_uncertainty_mm": "8.4",
                    "width_mm": "97.8", "width_uncertainty_mm": "1.1", "eu": "39.5", "uk": "6.5", "us_men": "7.5",
                    "us_women": "9.0", "child": "False", "warnings": "corner_covered too_dark"}
    assert (right["uk"], right["us_men"], right["child"]) == ("7.5", "", "True")
    assert none["sheet"] == "a4" and none["side"] == none["length_mm"] == none["eu"] == ""
    assert (bad["error"], bad["message"], bad["sheet"]) == ("sheet_not_found", "no sheet, none", "")


def test_the_table_tells_sizes_with_their_uncertainty(capsys):
    print_table(ANSWERS)
    heading, left, right, none, bad, note = capsys.readouterr().out.strip().splitlines()
    assert "251.3 \u00b1 8.4" in left and "39.5 \u00b1 1.5" in left and "corner_covered, too_dark" in left
    assert "7.5 C" in right and "none.jpg" in none and "sheet_not_found" in bad and "approximate" in note
    # A number stands below the end of its heading.
    assert heading.index("US men") + len("US men") == left.index(" 7.5 ") + len(" 7.5")
