import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

from scenes.dataset import read_dataset, read_mask, write_annotations
from scenes.document import Category
from scenes.exchange import brush
from scenes.exchange.formats import Options
from scenes.exchange.label_studio import read_label_studio, write_label_studio
from scenes.exchange.source import SourceError

SIZE = (64, 48)
CORNERS = [[10.0, 5.0], [50.0, 6.0], [52.0, 40.0], [8.0, 41.0]]


def test_tasks_bring_back_all_but_the_last_bits(whole, tmp_path, brought, assert_same):
    assert write_label_studio(whole, tmp_path / "out") == (3, [])
    back, problems = brought(read_label_studio, tmp_path / "out")
    assert problems == []
    assert_same(whole, back, tolerance=1e-12)


def test_without_masks(folder, records, tmp_path, brought, assert_same):
    for path in (folder / "masks").iterdir():
        path.unlink()
    write_annotations(folder, records, masks=False)
    write_label_studio(folder, tmp_path / "out")
    back, problems = brought(read_label_studio, tmp_path / "out")
    assert problems == []
    assert_same(folder, back, tolerance=1e-12)


def test_what_label_studio_gets(whole, tmp_path):
    write_label_studio(whole, tmp_path / "out")
    task = json.loads((tmp_path / "out" / "tasks.json").read_text())[2]
    assert task["data"]["image"] == "/data/local-files/?d=images/day%202/000002.jpg"
    results = task["annotations"][0]["result"]
    kinds = [(one["from_name"], one["type"], one["id"]) for one in results]
    # The third corner is not known, and has no region; the fourth is covered.
    assert kinds == [("corners", "keypointlabels", "corner1"), ("corners", "keypointlabels", "corner2"),
                     ("corners", "keypointlabels", "corner4"), ("state", "choices", "corner4"),
                     ("masks", "brushlabels", "sheet"), ("masks", "brushlabels", "left_foot"),
                     ("masks", "brushlabels", "right_foot")]
    value = results[0]["value"]
    assert value["x"] == pytest.approx((10.25 + 0.5) / 64 * 100) and value["y"] == pytest.approx(5.5 / 48 * 100)
    assert (results[0]["original_width"], results[0]["original_height"]) == SIZE


def test_every_region_has_its_tag_in_the_interface(whole, tmp_path):
    write_label_studio(whole, tmp_path / "out")
    view = ElementTree.parse(tmp_path / "out" / "label_config.xml").getroot()
    tags = {tag.get("name"): [child.get("value") for child in tag] for tag in view}
    for task in json.loads((tmp_path / "out" / "tasks.json").read_text()):
        for one in task["annotations"][0]["result"]:
            name, = one["value"].get(one["type"])
            assert name in tags[one["from_name"]] and one["to_name"] == "image"


def test_only_sheets_go_to_label_studio(folder, records, tmp_path):
    for record in records:
        record.update(corners=[[1, 1]], visibility=[2])
    write_annotations(folder, records, Category("face", ("nose",)))
    with pytest.raises(SourceError, match="category: only sheets.*not face"):
        write_label_studio(folder, tmp_path / "out")


# What Label Studio writes


def region(kind, name, number, **value):
    return {"id": f"r{number}", "type": kind, "from_name": "tag", "to_name": "img", "origin": "manual",
            "original_width": SIZE[0], "original_height": SIZE[1], "image_rotation": 0,
            "value": {**value, kind: [name]}}


def point(x, y, name, number):
    return region("keypointlabels", name, number, x=(x + 0.5) / SIZE[0] * 100, y=(y + 0.5) / SIZE[1] * 100, width=0.4)


def outline(name, number, points):
    return region("polygonlabels", name, number, closed=True,
                  points=[[x / SIZE[0] * 100, y / SIZE[1] * 100] for x, y in points])


@pytest.fixture
def tasks(tmp_path):
    """An export of two tasks and the folder that it is in; the images as they were before they were uploaded."""
    rng = np.random.default_rng(4)
    for name in ("one.png", "two.png"):
        Image.fromarray(rng.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)).save(tmp_path / name)
    exported = []
    for number, name in enumerate(("one.png", "two.png"), start=1):
        results = [point(*CORNERS[k], "corner", k) for k in (1, 0, 2, 3)]
        results.append({**point(*CORNERS[2], "corner", 2), "type": "choices", "value": {"choices": ["covered"]}})
        stroke = np.zeros((SIZE[1], SIZE[0]), bool)
        stroke[20:30, 20:30] = True
        results.append(region("brushlabels", "Left foot", 10, format="rle", rle=brush.encode(stroke)))
        results.append(outline("sheet", 11, [(10, 5), (50, 5), (50, 40), (10, 40)]))
        results.append(region("rectanglelabels", "sheet", 12, x=1, y=1, width=2, height=2, rotation=0))
        exported.append({"id": number, "file_upload": f"0a1b2c3d-{name}", "project": 1,
                         "data": {"image": f"/data/upload/1/0a1b2c3d-{name}"},
                         "annotations": [{"id": number, "result": results, "was_cancelled": False,
                                          "ground_truth": False, "updated_at": "2024-05-01T10:00:00Z"}]})
    return exported


@pytest.fixture
def imported(tasks, tmp_path, brought):
    """imported(): the dataset and problems of the tasks as they are by then."""
    def bring(indent=None, **options):
        (tmp_path / "project-1.json").write_text(json.dumps(tasks, indent=indent))
        return brought(read_label_studio, tmp_path / "project-1.json", **options)
    return bring


def test_an_export_becomes_a_dataset(imported):
    back, problems = imported()
    assert problems == []
    first, second = read_dataset(back)
    assert [first.file_name, second.file_name] == ["one.png", "two.png"]
    np.testing.assert_allclose(first.corners, CORNERS, rtol=0, atol=1e-12)
    assert first.visibility.tolist() == [2, 2, 1, 2] and first.attributes == {}
    counts = np.bincount(read_mask(first.mask_path).ravel(), minlength=4)
    assert counts.tolist() == [64 * 48 - 40 * 35, 40 * 35 - 100, 100, 0]


@pytest.mark.parametrize("other, chosen", [
    ({"was_cancelled": True, "updated_at": "2025-01-01"}, False), ({"updated_at": "2025-01-01"}, True),
    ({"updated_at": "2023-01-01"}, False), ({"updated_at": "2023-01-01", "ground_truth": True}, True)])
def test_of_several_annotations_the_one_that_counts_is_taken(tasks, imported, other, chosen):
    annotation = tasks[0]["annotations"][0]
    moved = [dict(one, value={**one["value"], "x": one["value"]["x"] + 100 / 64}) if one["type"] == "keypointlabels"
             else one for one in annotation["result"]]
    tasks[0]["annotations"].insert(0, {**annotation, "result": moved, **other})
    back, _ = imported()
    assert read_dataset(back)[0].corners[0, 0] == pytest.approx(11 if chosen else 10)


def test_named_corners_that_are_fewer_than_four_keep_their_names(tasks, imported):
    results = tasks[0]["annotations"][0]["result"]
    for one, name in zip(results, ("corner_2", "corner_1", "Corner_3"), strict=False):
        one["value"]["keypointlabels"] = [name]
    results.pop(3)
    back, problems = imported()
    assert problems == []
    sample = read_dataset(back)[0]
    np.testing.assert_allclose(sample.corners, [*CORNERS[:3], [-1, -1]], rtol=0, atol=1e-12)
    assert sample.visibility.tolist() == [2, 2, 1, 0]


def test_a_corner_that_is_called_outside_and_is_keeps_its_place(tasks, imported):
    results = tasks[0]["annotations"][0]["result"]
    results[2] = point(70, 40, "corner", 2)
    results[4]["value"]["choices"] = ["outside"]
    back, _ = imported()
    sample = read_dataset(back)[0]
    assert sample.corners[2].tolist() == pytest.approx([70, 40]) and sample.visibility.tolist() == [2, 2, 0, 2]


def results_of(tasks):
    return tasks[0]["annotations"][0]["result"]


BAD = {
    "task no object": (lambda t: t.__setitem__(0, {"data": 5}), "bad_task"),
    "no image": (lambda t: t[0]["data"].update(image="text only"), "bad_task"),
    "image missing": (lambda t: t[0]["data"].update(image="/data/upload/1/zero.png"), "image_missing"),
    "not annotated": (lambda t: t[0].update(annotations=[]), "annotation_count"),
    "skipped": (lambda t: t[0]["annotations"][0].update(was_cancelled=True), "annotation_count"),
    "result no list": (lambda t: t[0]["annotations"][0].update(result={}), "bad_task"),
    "two sizes": (lambda t: results_of(t)[0].update(original_width=100), "bad_task"),
    "size of text": (lambda t: [one.update(original_width=["64"]) for one in results_of(t)], "bad_task"),
    "turned": (lambda t: [one.update(image_rotation=90) for one in results_of(t)], "image_rotation"),
    "three points": (lambda t: results_of(t).pop(0), "corner_count"),
    "five points": (lambda t: results_of(t).append(point(1, 1, "corner", 20)), "corner_count"),
    "point of text": (lambda t: results_of(t)[0]["value"].update(x="1"), "bad_task"),
    "point beyond floats": (lambda t: results_of(t)[0]["value"].update(x=10**400), "bad_task"),
    "point NaN": (lambda t: results_of(t)[0]["value"].update(x=float("nan")), "bad_task"),
    "no quadrilateral": (lambda t: results_of(t)[0]["value"].update(results_of(t)[1]["value"]), "corner_shape"),
    "unknown name": (lambda t: results_of(t)[6]["value"].update(polygonlabels=["sock"]), "unknown_class"),
    "ellipse": (lambda t: results_of(t).append(region("ellipselabels", "left_foot", 30, x=1, y=1, radiusX=2)),
                "unsupported_region"),
    "broken strokes": (lambda t: results_of(t)[5]["value"].update(rle=[1, 2, 3]), "bad_brush"),
    "outline of two points": (lambda t: results_of(t)[6]["value"].update(points=[[1, 1], [2, 2]]), "bad_polygon"),
    "outline of text": (lambda t: results_of(t)[6]["value"].update(points=[["a", 1]] * 3), "bad_polygon"),
    "other size": (lambda t: [one.update(original_width=48, original_height=64) for one in results_of(t)],
                   "image_size"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_bad_is_told_with_its_line_and_the_rest_is_imported(tasks, imported, name):
    edit, rule = BAD[name]
    edit(tasks)
    back, problems = imported(indent=1)
    assert [(problem.rule, problem.line) for problem in problems] == [(rule, 2)]
    assert [sample.name for sample in read_dataset(back)] == ["two"]


@pytest.mark.parametrize("text, said", [
    ("{}", "no list of tasks"), ('[{"image": "/data/upload/1/a.png", "label": []}]', "JSON_MIN"),
    ("[", ":1: not_json")])
def test_exports_of_which_nothing_can_be_used_are_told(tmp_path, text, said):
    (tmp_path / "project.json").write_text(text)
    with pytest.raises(SourceError, match=said):
        read_label_studio(tmp_path, Options())


def test_which_export_is_meant_must_be_clear(tmp_path):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("[]")
    with pytest.raises(SourceError, match="2 JSON files"):
        read_label_studio(tmp_path, Options())


def test_the_coco_export_is_read_with_what_it_holds(tasks, tmp_path, brought):
    """Whole pixels counted from the corner of the picture, all seen, ids from 0, a category called default."""
    corners = [value for x, y in CORNERS for value in (round(x + 0.5), round(y + 0.5), 2)]
    document = {"images": [{"id": 0, "width": 64, "height": 48, "file_name": "images\\0a1b2c3d-one.png"}],
                "categories": [{"id": 0, "name": "sheet"}, {"id": 1, "name": "default", "supercategory": "default",
                                                            "keypoints": ["c", "b", "a", "d"], "skeleton": []}],
                "annotations": [{"id": 0, "image_id": 0, "category_id": 0, "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]],
                                 "bbox": [0, 0, 4, 4], "ignore": 0, "iscrowd": 0, "area": 16.0},
                                {"id": 1, "image_id": 0, "category_id": 1, "keypoints": corners, "num_keypoints": 4,
                                 "bbox": [0, 0, 4, 4], "iscrowd": 0}],
                "info": {"contributor": "Label Studio"}}
    (tmp_path / "result.json").write_text(json.dumps(document))
    back, problems = brought(read_label_studio, tmp_path)
    assert problems == []
    sample = read_dataset(back)[0]
    assert sample.corners.tolist() == (np.round(np.array(CORNERS) + 0.5) - 0.5).tolist()
    assert np.count_nonzero(read_mask(sample.mask_path)) == 16
