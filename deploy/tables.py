"""Tables of figures as text: cells, and a table in Markdown."""


def markdown_table(headings, cells, texts=(0,)):
    """Lines of a Markdown table. headings: list of str. cells: list of lists of str. texts: places of the columns that
    hold words; numbers stand to the right."""
    rule = ["---" if place in texts else "---:" for place in range(len(headings))]
    return [f"| {' | '.join(line)} |" for line in [headings, rule, *cells]]


def number(value, form=".2f"):
    """A number as text; "-" for None."""
    return "-" if value is None else f"{value:{form}}"
