"""Networks that label pixels, and the encoders they stand on, one architecture to a file."""
