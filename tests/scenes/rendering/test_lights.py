import mitsuba as mi
import numpy as np
import pytest

from scenes import sheet
from scenes.rendering import lights
from scenes.rendering.layout import CameraConfig, Layout, StandingConfig, look_at, sample_layout
from scenes.rendering.lens import Lens
from scenes.rendering.truth import sensor


def _layout(position=(0, -300, 900), target=(0, 0, 0)):
    camera = look_at(position, target, (0, 1, 0), 60.0, 61, 61)
    return Layout(sheet.A4, (), camera, Lens(), "top")


def _seen_on_floor(layout, lamps, samples=4):
    """Mean radiance of each pixel of an empty white floor, (61, 61)."""
    floor = {"type": "rectangle", "to_world": mi.ScalarTransform4f().scale([6000, 6000, 1]),
             "bsdf": {"type": "diffuse", "reflectance": {"type": "rgb", "value": 1.0}}}
    scene = mi.load_dict({"type": "scene", "floor": floor} | lamps, parallel=False)
    integrator = mi.load_dict({"type": "path", "max_depth": 2})
    return np.array(mi.render(scene, sensor=sensor(layout.camera, samples, False), integrator=integrator)).mean(2)


def _random_layouts(count):
    return [sample_layout(np.random.default_rng([4, k]), (60, 80), StandingConfig(), CameraConfig())
            for k in range(count)]


@pytest.mark.parametrize("kind", lights.KINDS)
def test_every_light_is_bright_cheap_and_its_seeds(kind):
    config = lights.LightConfig(kinds=((kind, 1.0),))
    for seed, layout in enumerate(_random_layouts(6)):
        pictures = []
        for _ in range(2):
            lamps = lights.lamps(np.random.default_rng(seed), layout, config)
            scene = mi.load_dict({"type": "scene"} | lamps, parallel=False)
            assert 2 <= len(scene.emitters()) <= 3
            pictures.append(_seen_on_floor(_layout(), lamps))
        np.testing.assert_array_equal(*pictures)
        assert np.isfinite(pictures[0]).all()
        assert pictures[0].mean() > 0.1


def test_plain_light_is_always_the_same():
    seen = [_seen_on_floor(_layout(), lights.lamps(np.random.default_rng(k), _random_layouts(k + 1)[k],
                                                   lights.PLAIN_LIGHT)) for k in range(3)]
    np.testing.assert_array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[0], seen[2])


def test_lamp_gives_the_irradiance_that_was_asked_for():
    # A white floor shows irradiance / pi; 5.0 at the sheet's middle, which is the middle of the photo.
    outline = np.array([[-200, -200, 2500], [-200, 200, 2500], [200, 200, 2500], [200, -200, 2500.0]]) + (900, 0, 0)
    lamp = lights._shining("lamp", outline[None], (1, 1, 1), 5.0)
    seen = _seen_on_floor(_layout(), {"lamp": lamp}, 256)
    assert seen[28:33, 28:33].mean() == pytest.approx(5 / np.pi, rel=0.03)


@pytest.mark.parametrize("direction", [(0.2, 0.5, -0.8), (-0.6, 0.1, -0.5)])
def test_sun_throws_a_shadow_where_it_is_told(direction):
    direction = np.array(direction) / np.linalg.norm(direction)
    picture = np.ones((lights.SUN_PX, lights.SUN_PX), np.float32)
    thrower = np.array([150.0, 60.0, 0.0]) - direction * 1500
    x, y = np.round(lights._in_sun_px(thrower[None], direction)[0] / 16).astype(int)
    picture[y - 2:y + 3, x - 2:x + 3] = 0
    layout = _layout()
    seen = _seen_on_floor(layout, {"sun": lights._sun(direction, picture, (1, 1, 1), 2.0)})
    assert np.median(seen) == pytest.approx(2 / np.pi, rel=0.02)
    shadow = np.argwhere(seen < 0.2)[:, ::-1]
    expected = layout.camera.project(np.array([[150.0, 60.0, 0.0]]))[0]
    np.testing.assert_allclose(shadow.mean(0), expected, atol=1.5)  # a texel is 16 mm or a pixel


def test_photographers_shadow_falls_near_the_sheet_and_the_body_is_no_shape():
    config = lights.LightConfig(kinds=(("sun", 1.0),), photographer_share=1.0)
    shaded = 0
    for seed, layout in enumerate(_random_layouts(30)):
        lamps = lights.lamps(np.random.default_rng(seed), layout, config)
        # Two emitters and no geometry: nothing of the photographer can be in the photo.
        assert set(lamps) == {"ambient", "sun"}
        assert all(isinstance(lamp, mi.Emitter) for lamp in lamps.values())
        above = _layout((0, 0, 900))
        sunlit = _seen_on_floor(above, {"sun": lamps["sun"]})
        shaded += (sunlit < 0.3 * sunlit.max()).mean() > 0.05
    assert shaded > 18


def test_photographer_is_behind_the_camera_and_over_the_lower_border():
    for seed in range(20):
        layout = _layout((30, -200, 800))
        person = lights.sample_photographer(np.random.default_rng(seed), layout)
        joints = np.concatenate([person.head[None], person.shoulders, person.hips])
        assert (joints[:, 1] < -350).all()  # the photo's lower border is towards -y
        assert person.head[2] > 800


def test_ceiling_lamp_is_mirrored_into_the_photo():
    layout = _layout()
    config = lights.LightConfig(mirrored_share=1.0)
    eye = layout.camera.position_mm
    inside = 0
    for seed in range(40):
        place = lights._lamp_place(np.random.default_rng(seed), layout, config, 2400.0)
        mirrored = layout.camera.project(np.array([[*place, -2400.0]]))[0]
        inside += bool((mirrored > 0).all() and (mirrored < 60).all())
    assert eye[2] == 900
    assert inside > 30


def test_unknown_kind_of_light_is_named():
    with pytest.raises(ValueError, match="candle"):
        lights.LightConfig(kinds=(("candle", 1.0),))


def test_warm_light_is_redder_than_daylight():
    warm, cool = lights.tint(2700), lights.tint(8000)
    assert warm[0] > 1.2 > 0.8 > warm[2]
    assert cool[2] > cool[0]
    np.testing.assert_allclose([warm.mean(), cool.mean()], 1)
