"""From arrays to Mitsuba: meshes, materials, textures, and colours in the light that it computes with."""

import mitsuba as mi
import numpy as np

mi.set_variant("scalar_rgb")
mi.set_log_level(mi.LogLevel.Error)

SHEET_LIFT_MM = 0.4  # paper on a floor; keeps its rays clear of the floor's


def linear(srgb):
    """sRGB 0..255 to linear 0..1 (IEC 61966-2-1)."""
    value = np.asarray(srgb, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def mesh(name, vertices, faces, material, texcoords=None, colours=None, smooth=None):
    """A Mitsuba mesh from (N, 3) mm, (M, 3) indices, optional (N, 2) texture coordinates and (N, 3) linear colours.

    smooth: whether it is shaded with the normals of its vertices rather than of its faces; without texture
    coordinates it is, with them not unless asked for.
    """
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict(material)
    made = mi.Mesh(name, len(vertices), len(faces), has_vertex_normals=texcoords is None if smooth is None else smooth,
                   has_vertex_texcoords=texcoords is not None, props=properties)
    parameters = mi.traverse(made)
    parameters["vertex_positions"] = np.ascontiguousarray(vertices, np.float32).ravel()
    parameters["faces"] = np.ascontiguousarray(faces, np.uint32).ravel()
    if texcoords is not None:
        parameters["vertex_texcoords"] = np.ascontiguousarray(texcoords, np.float32).ravel()
    parameters.update()
    if colours is not None:
        made.add_attribute("vertex_color", 3, np.ascontiguousarray(colours, np.float32).ravel())
    made.set_id(name)
    return made


def two_sided(reflectance):
    """Diffuse material, the same on both sides of a surface."""
    return {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": reflectance}}


def paint(colour):
    """Matt material of one sRGB colour."""
    return two_sided({"type": "rgb", "value": linear(colour).tolist()})


def bitmap(pixels, repeat="mirror"):
    return {"type": "bitmap", "bitmap": mi.Bitmap(np.ascontiguousarray(pixels)), "wrap_mode": repeat, "raw": False}


def lattice(xs, ys):
    """Points (N, 2) at all crossings of lines at xs and ys, and faces (M, 3), anticlockwise seen from above."""
    x, y = np.meshgrid(xs, ys)
    index = np.arange(x.size).reshape(x.shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    quads = np.stack([a, b, c, d], -1).reshape(-1, 4)
    return np.column_stack([x.ravel(), y.ravel()]), np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def grid(columns, rows):
    """Vertices (columns*rows, 2) in 0..1 and faces of a regular grid, anticlockwise seen from above."""
    return lattice(np.linspace(0, 1, columns), np.linspace(0, 1, rows))


def polished(reflectance, roughness):
    """Diffuse material under a clear coat that mirrors lamps; ``reflectance`` is what it looks like away from them.

    roughness: alpha of the GGX distribution, 0.02 (a mirror) to 0.4. GGX has the haze round a lamp's image that real
    floors show, and loads four times as fast as Beckmann's.
    """
    return {"type": "twosided", "bsdf": {"type": "roughplastic", "distribution": "ggx", "alpha": float(roughness),
                                         "diffuse_reflectance": reflectance, "nonlinear": False}}
