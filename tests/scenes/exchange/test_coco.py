import copy
import json

import numpy as np
import pytest
from PIL import Image

from scenes.dataset import read_dataset, read_mask, write_annotations
from scenes.document import SHEET, Category
from scenes.exchange.coco import read_coco, read_cvat, write_coco, write_cvat
from scenes.exchange.formats import Options
from scenes.exchange.regions import ClassNames
from scenes.exchange.source import SourceError

CORNERS = [[10.0, 5.0], [50.0, 6.0], [52.0, 40.0], [8.0, 41.0]]
SIZE = (64, 48)


def change(path, edit):
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


# Round trips


def test_coco_brings_back_all_to_the_bit(whole, tmp_path, brought, assert_same):
    assert write_coco(whole, tmp_path / "out") == (3, [])
    back, problems = brought(read_coco, tmp_path / "out")
    assert problems == []
    # The subsets are read in the order of their names: train, validation.
    samples = [sample.name for sample in read_dataset(back)]
    assert samples == ["000000", "day 2/000002", "000001"]
    reorder(back, [0, 2, 1])
    assert_same(whole, back)


def test_cvat_brings_back_all_but_the_last_bits(whole, tmp_path, brought, assert_same):
    assert write_cvat(whole, tmp_path / "out") == (3, [])
    back, problems = brought(read_cvat, tmp_path / "out")
    reorder(back, [0, 2, 1])
    assert problems == []
    assert_same(whole, back, tolerance=1e-12)


def reorder(folder, order):
    def edit(document):
        document["images"] = [document["images"][k] for k in order]

    change(folder / "annotations.json", edit)


@pytest.mark.parametrize("read, write", [(read_coco, write_coco), (read_cvat, write_cvat)])
def test_without_masks_and_splits(folder, records, tmp_path, brought, assert_same, read, write):
    for path in (folder / "masks").iterdir():
        path.unlink()
    for record in records:
        record["attributes"] = {}
    write_annotations(folder, records, masks=False)
    write(folder, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / "annotations").iterdir()) == [
        "person_keypoints_default.json"]
    back, problems = brought(read, tmp_path / "out")
    assert problems == []
    assert_same(folder, back, tolerance=1e-12)


@pytest.mark.parametrize("read, write", [(read_coco, write_coco), (read_cvat, write_cvat)])
def test_keypoints_of_another_category(folder, records, tmp_path, brought, assert_same, read, write):
    for path in (folder / "masks").iterdir():
        path.unlink()
    for record in records:
        record.update(corners=[[-17.5, 20.0], [30.0, 40.0], [-1, -1]], visibility=[0, 1, 0], attributes={"age": 4})
    write_annotations(folder, records, Category("face", ("nose", "chin", "ear"), ((1, 2), (2, 3))))
    write(folder, tmp_path / "out")
    back, problems = brought(read, tmp_path / "out")
    assert problems == []
    assert_same(folder, back, tolerance=1e-12)


def test_the_document_that_a_dataset_has_is_coco(whole, brought, assert_same):
    for path in (whole / "masks").rglob("*.png"):
        path.unlink()
    change(whole / "annotations.json", lambda d: d["info"].update(masks=False))
    back, problems = brought(read_coco, whole)
    assert problems == []
    assert_same(whole, back)


def test_an_image_that_is_missing_is_told_and_the_others_are_written(folder, tmp_path):
    (folder / "images" / "000001.jpg").unlink()
    count, (problem,) = write_coco(folder, tmp_path / "out")
    assert count == 2 and problem.rule == "unreadable" and problem.file.endswith("000001.jpg")
    documents = sorted((tmp_path / "out" / "annotations").glob("person_keypoints_*.json"))
    assert sum(len(json.loads(path.read_text())["images"]) for path in documents) == 2


# What CVAT writes


def test_what_cvat_gets_is_counted_from_the_corner_of_the_picture(whole, tmp_path):
    write_cvat(whole, tmp_path / "out")
    document = json.loads((tmp_path / "out" / "annotations" / "person_keypoints_validation.json").read_text())
    assert document["annotations"][0]["keypoints"] == [10.75, 5.5, 2, 70.75, -3.0, 0, 52.5, 40.5, 1, 8.5, 41.5, 2]
    train = json.loads((tmp_path / "out" / "annotations" / "person_keypoints_train.json").read_text())
    assert train["annotations"][1]["keypoints"][6:9] == [0, 0, 0]  # COCO's way of saying that it is not known
    assert train["categories"] == [SHEET.to_coco()]
    regions = json.loads((tmp_path / "out" / "annotations" / "instances_train.json").read_text())
    assert [entry["name"] for entry in regions["categories"]] == ["sheet_mask", "left_foot", "right_foot"]
    foot = next(entry for entry in regions["annotations"] if entry["category_id"] == 2)
    assert foot["bbox"] == [10, 20, 20, 5] and foot["area"] == 100 and foot["iscrowd"] == 1
    assert (tmp_path / "out" / "images" / "train" / "day 2" / "000002.jpg").is_file()


@pytest.fixture
def cvat(tmp_path):
    """A task as CVAT exports it, "COCO Keypoints 1.0" and "COCO 1.0" unpacked over one another: two images."""
    root = tmp_path / "cvat"
    (root / "annotations").mkdir(parents=True)
    rng = np.random.default_rng(2)
    (root / "images" / "default" / "day").mkdir(parents=True)
    for name in ("a.png", "day/b.png"):
        noise = rng.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
        Image.fromarray(noise).save(root / "images" / "default" / name)
    images = [{"id": number, "width": SIZE[0], "height": SIZE[1], "file_name": name, "license": 0, "flickr_url": "",
               "coco_url": "", "date_captured": 0} for number, name in ((1, "a.png"), (2, "day/b.png"))]
    head = {"licenses": [{"name": "", "id": 0, "url": ""}], "info": {"contributor": "", "year": ""}, "images": images}
    clicked = (np.array(CORNERS) + 0.5)[[2, 3, 0, 1]]
    first = [value for (x, y), v in zip(clicked.tolist(), (2, 1, 2, 2), strict=True) for value in (x, y, v)]
    second = [*first[:9], 30.0, 20.0, 0]  # a point that was marked as outside, and has its old place
    skeletons = [{"id": number, "image_id": number, "category_id": 2, "segmentation": [], "area": 1.0,
                  "bbox": [0, 0, 1, 1], "iscrowd": 0, "attributes": {"occluded": False}, "keypoints": points,
                  "num_keypoints": 4} for number, points in ((1, first), (2, second))]
    # Labels without a skeleton stand among the categories, with no keypoints.
    categories = [{"id": 1, "name": "left_foot", "supercategory": "", "keypoints": [], "skeleton": []},
                  {"id": 2, "name": "sheet", "supercategory": "", "keypoints": ["1", "2", "3", "4"],
                   "skeleton": [[1, 2]]}]
    keypoints = {**head, "categories": categories, "annotations": skeletons}
    outlines = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [20, 20, 10, 10], "iscrowd": 0, "attributes": {},
                 "area": 100.0, "segmentation": [[20.0, 20.0, 30.0, 20.0, 30.0, 30.0, 20.0, 30.0]]},
                {"id": 2, "image_id": 1, "category_id": 7, "bbox": [10, 5, 40, 35], "iscrowd": 0, "attributes": {},
                 "area": 1400.0, "segmentation": [[10.0, 5.0, 50.0, 5.0, 50.0, 40.0, 10.0, 40.0]]},
                {"id": 3, "image_id": 2, "category_id": 7, "segmentation": {"size": [48, 64], "counts": [0, 96, 2976]},
                 "area": 96.0, "bbox": [0, 0, 2, 48], "iscrowd": 1, "attributes": {}}]
    instances = {**head, "annotations": outlines,
                 "categories": [{"id": 1, "name": "left_foot", "supercategory": ""},
                                {"id": 7, "name": "sheet_mask", "supercategory": ""}]}
    (root / "annotations" / "person_keypoints_default.json").write_text(json.dumps(keypoints))
    (root / "annotations" / "instances_default.json").write_text(json.dumps(instances))
    return root


def edit_cvat(cvat, edit, task="person_keypoints"):
    change(cvat / "annotations" / f"{task}_default.json", edit)


def test_a_task_of_cvat_becomes_a_dataset(cvat, brought):
    back, problems = brought(read_cvat, cvat, split="train")
    assert problems == []
    first, second = read_dataset(back)
    assert [first.file_name, second.file_name] == ["a.png", "day/b.png"]
    assert first.corners.tolist() == CORNERS and first.visibility.tolist() == [2, 2, 2, 1]
    assert first.attributes == {"occluded": False, "split": "train"}
    # The point within the image that CVAT calls outside is not known; so there is no order to bring the others into.
    assert second.corners.tolist() == [CORNERS[2], CORNERS[3], CORNERS[0], [-1, -1]]
    assert second.visibility.tolist() == [2, 1, 2, 0]
    mask = read_mask(first.mask_path)
    assert np.bincount(mask.ravel(), minlength=4).tolist() == [64 * 48 - 40 * 35, 40 * 35 - 100, 100, 0]
    assert mask[20, 20] == mask[29, 29] == 2 and mask[30, 30] == mask[5, 10] == 1
    assert read_mask(second.mask_path)[:, :2].all() and np.count_nonzero(read_mask(second.mask_path)) == 96


def test_read_as_coco_points_are_half_a_pixel_further(cvat, brought):
    back, _ = brought(read_coco, cvat)
    assert read_dataset(back)[0].corners.tolist() == (np.array(CORNERS) + 0.5).tolist()


def test_images_of_older_exports_lie_in_one_folder(cvat, brought):
    for path in sorted((cvat / "images" / "default").iterdir()):
        path.rename(cvat / "images" / path.name)
    back, problems = brought(read_cvat, cvat)
    assert problems == [] and [sample.file_name for sample in read_dataset(back)] == ["a.png", "day/b.png"]


def test_images_may_be_elsewhere(cvat, tmp_path, brought):
    (cvat / "images").rename(tmp_path / "photos")
    document = cvat / "annotations" / "person_keypoints_default.json"
    back, problems = brought(read_cvat, document, images=tmp_path / "photos" / "default")
    assert problems == [] and [sample.file_name for sample in read_dataset(back)] == ["a.png", "day/b.png"]
    assert json.loads((back / "annotations.json").read_text())["info"]["masks"] is False


def test_a_region_in_the_group_of_the_skeleton_is_the_sheet(cvat, brought):
    edit_cvat(cvat, lambda d: d["annotations"][0].update(segmentation=[[0, 0, 3, 0, 3, 2, 0, 2]]))
    edit_cvat(cvat, lambda d: d["annotations"].pop(1), "instances")
    back, _ = brought(read_cvat, cvat)
    mask = read_mask(read_dataset(back)[0].mask_path)
    assert np.bincount(mask.ravel()).tolist()[1:] == [6, 100]


def test_subsets_are_splits_and_their_images_keep_apart(cvat, brought):
    for task in ("person_keypoints", "instances"):
        path = cvat / "annotations" / f"{task}_default.json"
        for subset in ("Train", "Validation"):
            (cvat / "annotations" / f"{task}_{subset}.json").write_text(path.read_text())
        path.unlink()
    (cvat / "images" / "default").rename(cvat / "images" / "Train")
    (cvat / "images" / "Validation" / "day").mkdir(parents=True)
    for name in ("a.png", "day/b.png"):
        noise = np.random.default_rng(len(name)).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
        Image.fromarray(noise).save(cvat / "images" / "Validation" / name)
    back, problems = brought(read_cvat, cvat)
    assert problems == []
    assert [(sample.name, sample.attributes["split"]) for sample in read_dataset(back)] == [
        ("Train/a", "train"), ("Train/day/b", "train"), ("Validation/a", "validation"),
        ("Validation/day/b", "validation")]


def test_four_points_of_any_name_are_a_sheet_and_other_skeletons_are_passed_over(cvat, brought):
    def rename(document):
        document["categories"][1]["name"] = "paper"
        document["categories"].append({"id": 9, "name": "hand", "keypoints": ["thumb"], "skeleton": []})
        document["annotations"].append(dict(document["annotations"][0], id=9, category_id=9, keypoints=[1, 1, 2]))

    edit_cvat(cvat, rename)
    back, problems = brought(read_cvat, cvat)
    assert problems == [] and read_dataset(back)[0].corners.tolist() == CORNERS


def test_names_of_regions_can_be_told(cvat, brought):
    edit_cvat(cvat, lambda d: d["categories"][0].update(name="Pie izquierdo"), "instances")
    _, problems = brought(read_cvat, cvat)
    assert [problem.rule for problem in problems] == ["unknown_class"]


def test_told_names_are_used(cvat, brought):
    edit_cvat(cvat, lambda d: d["categories"][0].update(name="Pie izquierdo"), "instances")
    back, problems = brought(read_cvat, cvat, classes=ClassNames({"pie izquierdo": "ignore"}))
    assert problems == [] and set(np.unique(read_mask(read_dataset(back)[0].mask_path))) == {0, 1}


# Bad input: each one is told with its line, and the other image is imported


def skeleton(**values):
    return lambda document: document["annotations"][0].update(values)


def keypoint(place, value):
    return lambda document: document["annotations"][0]["keypoints"].__setitem__(place, value)


BAD = {
    "no annotation": ("person_keypoints", lambda d: d["annotations"].pop(0), "annotation_count"),
    "two sheets": ("person_keypoints", lambda d: d["annotations"].append(copy.deepcopy(d["annotations"][0])),
                   "annotation_count"),
    "annotation of no image": ("person_keypoints", skeleton(image_id=99), "bad_annotation"),
    "annotation of no category": ("person_keypoints", skeleton(category_id=99), "bad_annotation"),
    "annotation no object": ("person_keypoints", lambda d: d["annotations"].insert(0, 5), "bad_annotation"),
    "image without id": ("person_keypoints", lambda d: d["images"][0].pop("id"), "bad_image"),
    "image id twice": ("person_keypoints", lambda d: d["images"].append(dict(d["images"][0], file_name="c.png")),
                       "duplicate_id"),
    "three points": ("person_keypoints", skeleton(keypoints=[1, 1, 2] * 3), "keypoint_count"),
    "points of text": ("person_keypoints", keypoint(0, "1"), "keypoint_count"),
    "NaN": ("person_keypoints", keypoint(0, float("nan")), "not_finite"),
    "visibility 3": ("person_keypoints", keypoint(2, 3), "bad_visibility"),
    "no quadrilateral": ("person_keypoints", skeleton(keypoints=[5, 5, 2] * 4), "corner_shape"),
    "image missing": ("person_keypoints", lambda d: d["images"][0].update(file_name="z.png"), "image_missing"),
    "image of another size": ("person_keypoints", lambda d: d["images"][0].update(width=48, height=64), "image_size"),
    "attribute infinite": ("person_keypoints", skeleton(attributes={"a": float("inf")}), "not_finite"),
    "half an outline": ("instances", skeleton(segmentation=[[1, 2, 3]]), "bad_polygon"),
    "outline of text": ("instances", skeleton(segmentation="none"), "bad_polygon"),
    "run lengths too short": ("instances", skeleton(segmentation={"size": [48, 64], "counts": [5]}), "bad_run_lengths"),
    "run lengths of another size": ("instances", skeleton(segmentation={"size": [64, 48], "counts": [3072]}),
                                    "mask_size"),
    "foot without sheet": ("instances", lambda d: d["annotations"].pop(1), "foot_without_sheet"),
    "no region": ("instances", lambda d: [d["annotations"].pop(0) for _ in range(2)], "mask_missing"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_bad_is_told_with_its_line_and_the_rest_is_imported(cvat, brought, name):
    task, edit, rule = BAD[name]
    edit_cvat(cvat, edit, task)
    for path in (cvat / "annotations").iterdir():
        path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    back, problems = brought(read_cvat, cvat)
    assert rule in [problem.rule for problem in problems]
    assert all(problem.line > 1 and problem.file.endswith("_default.json") for problem in problems)
    assert "day/b" in [sample.name for sample in read_dataset(back)]


def test_the_size_of_an_image_is_held_against_the_file(cvat, brought):
    for task in ("person_keypoints", "instances"):
        edit_cvat(cvat, lambda d: d["images"][0].update(width=48, height=64), task)
    edit_cvat(cvat, lambda d: d["images"][1].pop("width"))
    _, problems = brought(read_cvat, cvat)
    assert [problem.rule for problem in problems] == ["image_size"]


def test_the_line_is_that_of_the_entry(cvat, brought):
    path = cvat / "annotations" / "person_keypoints_default.json"
    document = json.loads(path.read_text())
    document["annotations"][1]["image_id"] = 99
    path.write_text('{"images": [],\n"categories": [],\n"annotations": [\n{},\n{}\n]}'.replace(
        "[],", "%s,", 2) % (json.dumps(document["images"]), json.dumps(document["categories"])))
    text = path.read_text().replace("{},\n{}", ",\n".join(map(json.dumps, document["annotations"])))
    path.write_text(text)
    _, problems = brought(read_cvat, cvat)
    assert [(problem.rule, problem.line) for problem in problems] == [("bad_annotation", 5), ("annotation_count", 1)]


@pytest.mark.parametrize("edit, said", [
    (lambda d: d.pop("images"), "not_coco"),
    (lambda d: [category.pop("keypoints") for category in d["categories"]], "category: there are keypoints of none"),
    (lambda d: d["categories"][1].update(keypoints=["a", "a", "b"]), "names must be distinct"),
    (lambda d: d["categories"][1].update(keypoints=["a"] * 5), "a sheet has four"),
    (lambda d: (d["categories"][1].update(name="hand", keypoints=["a", "b"]),
                d["categories"][0].update(keypoints=["c"])), "hand, left_foot, and none is 'sheet'")])
def test_a_source_of_which_nothing_can_be_used_is_told(cvat, edit, said):
    (cvat / "annotations" / "instances_default.json").unlink()
    edit_cvat(cvat, edit)
    with pytest.raises(SourceError, match=said):
        read_cvat(cvat, Options())


def test_what_is_no_json_is_told_with_its_line(cvat):
    (cvat / "annotations" / "person_keypoints_default.json").write_text('{"images":\n[}')
    with pytest.raises(SourceError, match=r"person_keypoints_default\.json:2: not_json"):
        read_cvat(cvat, Options())


def test_a_folder_without_documents_is_told(tmp_path):
    with pytest.raises(SourceError, match="not_coco"):
        read_coco(tmp_path, Options())


def test_an_image_that_cannot_be_copied_is_in_no_document(folder, tmp_path, monkeypatch):
    import scenes.exchange.coco as coco

    def refusing(source, target, link=False):
        if source.name == "000001.jpg":
            raise PermissionError("not for you")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr(coco, "place", refusing)
    (folder / "masks" / "000002.png").write_bytes(b"no mask")
    count, problems = write_coco(folder, tmp_path / "out")
    assert count == 1 and ["not for you" in problems[0].message, "000002" in problems[1].message] == [True, True]
    assert [path.name for path in (tmp_path / "out" / "images").rglob("*.jpg")] == ["000000.jpg"]
    named = [image["file_name"] for path in (tmp_path / "out" / "annotations").glob("person_*.json")
             for image in json.loads(path.read_text())["images"]]
    assert named == ["000000.jpg"]
