"""Where the four corners of the sheet are: heatmaps, networks, training and evaluation (MXNet, GluonCV)."""
