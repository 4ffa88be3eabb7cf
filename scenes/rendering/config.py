"""Everything that a scene is drawn from, as one frozen configuration, and what can be left out of it."""

import dataclasses
from dataclasses import dataclass, field

from scenes.rendering.foot import PLAIN_FOOT, FootConfig
from scenes.rendering.layout import PINHOLE, CameraConfig, StandingConfig
from scenes.rendering.legs import PLAIN_CLOTHES, ClothesConfig
from scenes.rendering.lights import PLAIN_LIGHT, LightConfig
from scenes.rendering.paper import PLAIN_SHEET, SheetConfig
from scenes.rendering.photograph import PLAIN_PHOTOGRAPH, PhotographConfig
from scenes.rendering.surfaces import PLAIN_FLOOR, FloorConfig
from scenes.rendering.surroundings import PLAIN_THINGS, ThingsConfig


@dataclass(frozen=True)
class SceneConfig:
    """The probabilities and ranges of every room of the renderer; each is documented where it is defined."""

    standing: StandingConfig = field(default_factory=StandingConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    foot: FootConfig = field(default_factory=FootConfig)
    clothes: ClothesConfig = field(default_factory=ClothesConfig)
    sheet: SheetConfig = field(default_factory=SheetConfig)
    floor: FloorConfig = field(default_factory=FloorConfig)
    things: ThingsConfig = field(default_factory=ThingsConfig)
    light: LightConfig = field(default_factory=LightConfig)
    photograph: PhotographConfig = field(default_factory=PhotographConfig)


# What an ablation leaves out together: group -> the rooms that it makes plain.
GROUPS = {
    "textures": {"floor": PLAIN_FLOOR},
    "camera": {"camera": PINHOLE, "photograph": PLAIN_PHOTOGRAPH},
    "sheet": {"sheet": PLAIN_SHEET},
    "legs": {"foot": PLAIN_FOOT, "clothes": PLAIN_CLOTHES},
    "things": {"things": PLAIN_THINGS},
    "light": {"light": PLAIN_LIGHT},
}


def without(groups, config=None):
    """``config`` (None: the full variety) with the named groups of choices made plain.

    Raises ValueError for a name that is no group.
    """
    unknown = sorted(set(groups) - set(GROUPS))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no group of choices; the groups are {', '.join(GROUPS)}")
    rooms = {}
    for group in groups:
        rooms |= GROUPS[group]
    return dataclasses.replace(config or SceneConfig(), **rooms)
