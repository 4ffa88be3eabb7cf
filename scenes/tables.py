"""Tables of figures on the console."""

from rich.console import Console
from rich.table import Table

FILE_COLUMNS = 140


def new_console():
    """The terminal's, or one of FILE_COLUMNS where the output goes into a file, which has no width of its own."""
    console = Console()
    if not console.is_terminal:
        console.width = FILE_COLUMNS
    return console


def new_table(title, left, right):
    """An empty table; left, right: headings of the columns of words and of those of figures."""
    table = Table(title=title)
    for heading in left:
        table.add_column(heading, no_wrap=True)
    for heading in right:
        table.add_column(heading, justify="right")
    return table


def told(value, digits):
    """A figure as text; None is a dash."""
    return "-" if value is None else f"{value:.{digits}f}"
