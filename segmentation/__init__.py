"""Which pixel is background, sheet, left or right foot: networks, training and evaluation (Keras)."""
