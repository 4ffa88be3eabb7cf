"""What the networks and the whole pipeline cost in each runtime, side by side: measured, judged, reported."""
