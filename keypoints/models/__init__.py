"""Networks that find the corners of the sheet, one architecture to a file."""
