from dataclasses import replace

import mitsuba as mi
import numpy as np
import pytest

from scenes import sheet
from scenes.rendering import surroundings
from scenes.rendering.layout import CameraConfig, StandingConfig, look_at, sample_layout
from scenes.rendering.objects import MAKERS
from scenes.rendering.surfaces import PLAIN_FLOOR, FloorConfig
from scenes.rendering.surroundings import PLAIN_THINGS, RUG_KINDS, ThingsConfig, things

IN_THE_WAY = ("table", "finger", "rug", "on_sheet")


def _layouts(count):
    return [sample_layout(np.random.default_rng([6, k]), (60, 80), StandingConfig(), CameraConfig())
            for k in range(count)]


def _loaded(found):
    return mi.load_dict({"type": "scene"} | found, parallel=False)


def _distance_to_sheet(paper, low, high):
    """Gap in mm between the sheet and a box (2,) to (2,) along the axes; negative: they overlap."""
    half = np.array([paper.short_mm, paper.long_mm]) / 2
    return max((low - half).max(), (-half - high).max())


FLOOR = FloorConfig()


def test_rugs_have_no_texture_where_floors_have_none(monkeypatch):
    asked = []
    whole = surroundings.surfaces.sample_floor
    monkeypatch.setattr(surroundings.surfaces, "sample_floor",
                        lambda rng, config: asked.append(config) or whole(rng, config))
    layout = _layouts(1)[0]
    for floor in (FLOOR, PLAIN_FLOOR):
        things(np.random.default_rng(0), layout, replace(PLAIN_THINGS, rug_share=1.0), floor)
    assert asked[0].kinds == RUG_KINDS
    assert asked[1].kinds == PLAIN_FLOOR.kinds and asked[1].near_white_share == 0


def test_same_seed_same_things():
    config = ThingsConfig(counts=(0.0, 0.0, 1.0))
    for seed, layout in enumerate(_layouts(6)):
        first, again = (_loaded(things(np.random.default_rng(seed), layout, config, FLOOR)) for _ in range(2))
        assert [shape.id() for shape in first.shapes()] == [shape.id() for shape in again.shapes()]
        for one, other in zip(first.shapes(), again.shapes(), strict=True):
            assert str(one.bbox()) == str(other.bbox())


def test_plain_things_are_none():
    for k, layout in enumerate(_layouts(20)):
        assert things(np.random.default_rng(k), layout, PLAIN_THINGS, FLOOR) == {}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_thing_stands_on_the_ground_within_its_outline(kind):
    for seed in range(3):
        thing = MAKERS[kind](np.random.default_rng(seed))
        # Turned by 0: x and y of the thing are those of the world.
        scene = _loaded(thing.build("thing", np.array([500.0, 300.0]), 0.0, 0.0))
        box = scene.bbox()
        low, high = np.array(box.min).ravel(), np.array(box.max).ravel()
        assert -0.5 <= low[2] < 20
        assert high[2] <= thing.height_mm * 1.1 + 2
        reach = np.maximum(high[:2] - (500, 300), (500, 300) - low[:2])
        assert (reach <= np.array(thing.half_mm) * 1.25 + 6).all()


def test_things_keep_clear_of_the_sheet_and_do_not_hide_it():
    config = ThingsConfig(counts=(0.0, 0.0, 0.0, 1.0), covering_share=0.0, top_backdrop_share=0.0,
                          side_backdrop_share=0.0, table_edge_share=0.0, finger_share=0.0, on_sheet_share=0.0,
                          rug_share=0.0, cable_over_share=0.0, touching_share=0.4)
    checked = 0
    for seed, layout in enumerate(_layouts(25)):
        found = things(np.random.default_rng(seed), layout, config, FLOOR)
        if not found:
            continue
        scene = _loaded(found)
        eye = layout.camera.position_mm
        half = np.array([layout.sheet_format.short_mm, layout.sheet_format.long_mm]) / 2
        x, y = np.meshgrid(np.linspace(-0.97, 0.97, 7), np.linspace(-0.97, 0.97, 7))
        hidden = 0
        for point in np.column_stack([np.stack([x.ravel(), y.ravel()], 1) * half, np.full(49, 0.4)]):
            way = point - eye
            length = np.linalg.norm(way)
            ray = mi.Ray3f(mi.Point3f(eye.tolist()), mi.Vector3f((way / length).tolist()))
            hit = scene.ray_intersect(ray)
            hidden += bool(hit.is_valid() and hit.t < length - 0.1)
        assert hidden <= 1  # the tallest castor or a lump may reach a little beyond its outline
        checked += 1
    assert checked > 15


def test_what_is_in_the_way_is_named_so():
    config = ThingsConfig(on_sheet_share=1.0, rug_share=1.0, cable_share=1.0, cable_over_share=1.0)
    names = set()
    for seed, layout in enumerate(_layouts(12)):
        found = things(np.random.default_rng(seed), layout, config, FLOOR)
        names |= set(found)
        for name, shape in found.items():
            if name != "rug" and not name.startswith("on_sheet"):
                continue
            box = shape.bbox()
            low, high = np.array(box.min).ravel(), np.array(box.max).ravel()
            if name == "rug":
                assert 0 < high[2] < 0.4  # under the paper
            else:
                assert low[2] > 0.4
                assert _distance_to_sheet(layout.sheet_format, low[:2], high[:2]) < 0
    assert {"rug", "on_sheet", "on_sheet_cable"} <= names


@pytest.mark.parametrize("kind", surroundings.BACKDROPS)
def test_walls_and_cupboards_stand_behind_sheet_and_before_no_camera(kind):
    config = ThingsConfig(counts=(1.0,), top_backdrop_share=1.0, side_backdrop_share=1.0, backdrops=((kind, 1.0),),
                          cable_share=0.0, on_sheet_share=0.0, rug_share=0.0, table_edge_share=0.0, finger_share=0.0)
    stood = 0
    for seed, layout in enumerate(_layouts(15)):
        found = things(np.random.default_rng(seed), layout, config, FLOOR)
        if not found:
            continue
        stood += 1
        scene = _loaded(found)
        eye = layout.camera.position_mm
        targets = [np.array([*corner, 0.4]) for corner in sheet.corners_mm(layout.sheet_format)]
        targets += [np.array([*foot.centre_mm, 40.0]) for foot in layout.feet]
        for target in targets:
            way = target - eye
            length = np.linalg.norm(way)
            ray = mi.Ray3f(mi.Point3f(eye.tolist()), mi.Vector3f((way / length).tolist()))
            hit = scene.ray_intersect(ray)
            assert not hit.is_valid() or hit.t > length
    assert stood > 9


def test_hidden_share_by_hand():
    # From 1000 mm straight above, a flat thing over the right half of the sheet hides half of it.
    layout = _layouts(1)[0]
    camera = look_at((0, 0, 1000), (0, 0, 0), (0, 1, 0), 100.0, 101, 101)
    layout = replace(layout, camera=camera, sheet_format=sheet.A4, feet=())
    right = np.array([[0, -200], [200, -200], [200, 200], [0, 200]], np.float32)
    assert surroundings.hidden_share(layout, right, 0.0) == pytest.approx(0.5, abs=1e-3)
    assert surroundings.hidden_share(layout, right + (150, 0), 0.0) == 0


def test_tilted_table_and_finger_cut_only_the_border():
    config = ThingsConfig(counts=(1.0,), top_backdrop_share=0.0, side_backdrop_share=0.0, cable_share=0.0,
                          on_sheet_share=0.0, rug_share=0.0, table_edge_share=1.0, finger_share=1.0)
    shares, seen = [], set()
    for seed, layout in enumerate(_layouts(25)):
        found = things(np.random.default_rng(seed), layout, config, FLOOR)
        assert set(found) <= {"table", "finger"}
        seen |= set(found)
        if not found:
            continue
        scene, camera = _loaded(found), layout.camera
        x, y = np.meshgrid(np.arange(2, camera.width, 5), np.arange(2, camera.height, 5))
        rays = np.column_stack([(np.stack([x.ravel(), y.ravel()], 1) - camera.center_px) / camera.focal_px,
                                np.ones(x.size)]) @ camera.rotation
        origin = mi.Point3f(camera.position_mm.tolist())
        hits = [scene.ray_intersect(mi.Ray3f(origin, mi.Vector3f((ray / np.linalg.norm(ray)).tolist()))).is_valid()
                for ray in rays]
        shares.append(np.mean(hits))
    assert seen == {"table", "finger"}
    assert 0.01 < np.mean(shares) < 0.25
    assert max(shares) < 0.45


def test_unknown_kind_of_thing_is_named():
    with pytest.raises(ValueError, match="dragon"):
        ThingsConfig(kinds=(("dragon", 1.0),))
