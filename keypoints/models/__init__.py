"""Networks that find the keypoints, one architecture to a file; keypoints.models.registry builds them."""
