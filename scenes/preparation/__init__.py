"""Before a dataset is trained on: what it holds, borders of masks cleaned, colour pictures made class ids."""
