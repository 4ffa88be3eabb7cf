import numpy as np
import pytest
from PIL import Image

from scenes.checking import check_dataset
from scenes.dataset import read_category, read_dataset
from scenes.exchange.formats import Options
from scenes.exchange.landmarks import FACE, read_landmarks, write_landmarks
from scenes.exchange.source import SourceError

SIZE = (72, 87)  # faces can be smaller than any photo of a foot
HEAD = "," + ",".join(map(str, range(136)))


def row(name, shift=0.0):
    """Points along a diagonal from outside the image through it to outside."""
    return ",".join([name, *(f"{k + shift}" for k in range(-17, 51) for _ in "xy")])


@pytest.fixture
def faces(tmp_path):
    """FaceKeyPoints as it is handed out: a table beside a folder of images, one of them not in the table."""
    root = tmp_path / "FaceKeyPoints"
    (root / "training").mkdir(parents=True)
    rng = np.random.default_rng(8)
    for name in ("Luis_Fonsi_21.jpg", "Kit_Bond_20.jpg", "Nobody_00.jpg"):
        Image.fromarray(rng.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)).save(root / "training" / name)
    rows = [HEAD, row("Luis_Fonsi_21.jpg"), row("Kit_Bond_20.jpg", 0.5), ""]
    (root / "training_frames_keypoints.csv").write_text("\n".join(rows))
    return root


def test_the_parts_are_the_68_points_of_the_markup():
    names = FACE.keypoints
    assert len(names) == len(set(names)) == 68
    # Counted from 1: contour 1-17, brows 18-27, nose 28-36, eyes 37-48, lips 49-68.
    assert [names[k - 1] for k in (1, 17, 18, 23, 28, 32, 37, 43, 49, 61, 68)] == [
        "jaw_1", "jaw_17", "right_brow_1", "left_brow_1", "nose_bridge_1", "nose_base_1", "right_eye_1", "left_eye_1",
        "outer_lip_1", "inner_lip_1", "inner_lip_8"]
    assert (1, 2) in FACE.skeleton and (17, 18) not in FACE.skeleton
    assert (42, 37) in FACE.skeleton and (60, 49) in FACE.skeleton and (68, 61) in FACE.skeleton


def test_a_table_becomes_a_dataset(faces, brought):
    back, problems = brought(read_landmarks, faces, split="train")
    assert problems == [] and check_dataset(back) == [] and read_category(back) == FACE
    first, second = read_dataset(back, category="face")
    assert first.file_name == "training/Luis_Fonsi_21.jpg" and first.attributes == {"split": "train"}
    assert first.corners[0].tolist() == [-17, -17] and second.corners[67].tolist() == [50.5, 50.5]
    assert first.visibility.tolist() == [0] * 17 + [2] * 51


def test_landmarks_bring_back_points_and_images(faces, tmp_path, brought, assert_same):
    back, _ = brought(read_landmarks, faces)
    back = back.rename(tmp_path / "first")
    assert write_landmarks(back, tmp_path / "out") == (2, [])
    again, problems = brought(read_landmarks, tmp_path / "out")
    assert problems == []
    assert_same(back, again)


def test_points_that_are_not_known_are_empty(faces, tmp_path, brought):
    table = faces / "training_frames_keypoints.csv"
    table.write_text(table.read_text().replace("Luis_Fonsi_21.jpg,-17.0,-17.0", "Luis_Fonsi_21.jpg,,"))
    back, problems = brought(read_landmarks, faces)
    assert problems == []
    sample = read_dataset(back, category=None)[0]
    assert sample.corners[0].tolist() == [-1, -1] and sample.visibility[0] == 0
    write_landmarks(back, tmp_path / "out")
    assert (tmp_path / "out" / "keypoints.csv").read_text().splitlines()[1].startswith(
        "training/Luis_Fonsi_21.jpg,,,-16.0,-16.0,")


@pytest.mark.parametrize("head", ["", "name" + HEAD + "\n", HEAD + "\n"])
def test_with_and_without_names_of_columns(faces, brought, head):
    (faces / "training_frames_keypoints.csv").write_text(f"{head}{row('Luis_Fonsi_21.jpg')}\n")
    back, problems = brought(read_landmarks, faces / "training_frames_keypoints.csv")
    assert problems == [] and len(read_dataset(back, category=None)) == 1


@pytest.mark.parametrize("bad, rule", [
    (row("Kit_Bond_20.jpg") + ",1", "columns"), ("Kit_Bond_20.jpg,1,2", "columns"), (row("z.jpg"), "image_missing"),
    (row("Kit_Bond_20.jpg").replace("50.0", "fifty"), "not_a_number"),
    (row("Kit_Bond_20.jpg").replace("50.0", "nan"), "not_finite"),
    (row("Kit_Bond_20.jpg").replace("50.0,50.0", "50.0,"), "half_a_point"),
    (row("Luis_Fonsi_21.jpg"), "duplicate_name")])
def test_a_bad_row_is_told_with_its_line_and_the_rest_is_imported(faces, brought, bad, rule):
    (faces / "training_frames_keypoints.csv").write_text(f"{HEAD}\n{row('Luis_Fonsi_21.jpg')}\n{bad}\n")
    back, problems = brought(read_landmarks, faces)
    assert [(problem.rule, problem.line) for problem in problems] == [(rule, 3)]
    assert len(read_dataset(back, category=None)) == 1


def test_a_name_in_two_folders_must_be_told_apart(faces, tmp_path, brought):
    (faces / "valid").mkdir()
    Image.new("RGB", SIZE).save(faces / "valid" / "Kit_Bond_20.jpg")
    back, problems = brought(read_landmarks, faces)
    assert [problem.rule for problem in problems] == ["image_ambiguous"] and "--images" in problems[0].message
    back.rename(tmp_path / "first")
    back, problems = brought(read_landmarks, faces, images=faces / "training")
    assert problems == [] and read_dataset(back, category=None)[1].file_name == "Kit_Bond_20.jpg"


@pytest.mark.parametrize("text, said", [("a.jpg,1,2\n", "keypoints.csv:1: columns"), ("", "empty")])
def test_tables_of_which_nothing_can_be_used_are_told(faces, text, said):
    (faces / "training_frames_keypoints.csv").write_text(text)
    with pytest.raises(SourceError, match=said):
        read_landmarks(faces, Options())


def test_which_table_is_meant_must_be_clear(faces):
    (faces / "valid_frames_keypoints.csv").write_text(HEAD)
    with pytest.raises(SourceError, match="2 CSV files"):
        read_landmarks(faces, Options())


def test_only_68_points_make_a_table_of_landmarks(folder, tmp_path):
    with pytest.raises(SourceError, match="holds 68 points; sheet has 4"):
        write_landmarks(folder, tmp_path / "out")
