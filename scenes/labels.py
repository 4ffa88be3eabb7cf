"""Class ids of the masks, their names and colours, and what mirroring a picture does to them."""

import numpy as np

BACKGROUND, SHEET, LEFT_FOOT, RIGHT_FOOT = range(4)

NAMES = ("background", "sheet", "left_foot", "right_foot")

# uint8 (4, 3) RGB, 0..255: dark enough apart to be told from one another also by colour-blind eyes.
PALETTE = np.array([[0, 0, 0], [240, 228, 66], [0, 114, 178], [213, 94, 0]], dtype=np.uint8)
PALETTE.flags.writeable = False

# A mirrored left foot is a right foot: entry i is the class that class i becomes.
_MIRRORED = np.array([BACKGROUND, SHEET, RIGHT_FOOT, LEFT_FOOT])


def flip_mask(mask):
    """Mirror a class mask left-right and swap the sides of the feet.

    mask: integer (H, W), class ids 0..3. Returns a new array of the same shape and dtype; twice is the
    identity. Raises IndexError for an id above 3 and ValueError for a mask that is not two-dimensional.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise ValueError(f"mask has shape {mask.shape}; a class mask is (H, W): drop the channel axis first")
    return _MIRRORED[mask[:, ::-1]].astype(mask.dtype)
