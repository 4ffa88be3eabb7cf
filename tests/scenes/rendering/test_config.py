import dataclasses

import pytest

from scenes.dataset import SPLITS
from scenes.rendering.config import GROUPS, SceneConfig, without
from scenes.rendering.presets import PRESETS


def test_a_group_changes_its_rooms_and_no_other():
    full = SceneConfig()
    for group, rooms in GROUPS.items():
        left = without([group])
        for room in dataclasses.fields(SceneConfig):
            changed = getattr(left, room.name) != getattr(full, room.name)
            assert changed == (room.name in rooms)


def test_groups_add_up_and_unknown_ones_are_named():
    both = without(["sheet", "light"])
    assert both == without(["light"], without(["sheet"]))
    assert without([]) == SceneConfig()
    with pytest.raises(ValueError, match="shoes.*textures"):
        without(["shoes"])


def test_every_choice_is_frozen():
    full = SceneConfig()
    for room in dataclasses.fields(full):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(getattr(full, room.name), dataclasses.fields(getattr(full, room.name))[0].name, None)


def test_presets_name_splits_and_the_thesis_has_its_numbers():
    for parts in PRESETS.values():
        assert all(set(counts) <= set(SPLITS) and min(counts.values()) > 0 for counts in parts.values())
    assert PRESETS["thesis"] == {"segmentation": {"train": 4870, "validation": 1214},
                                 "keypoints": {"train": 4371, "validation": 1873}}
