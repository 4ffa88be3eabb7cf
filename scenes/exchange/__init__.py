"""Other people's data: annotation tools, plain files and landmark tables, into a dataset and out of it."""
