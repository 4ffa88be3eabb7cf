"""What every target that imports somebody's annotations does: read, stored, and the dataset that came out checked."""

from scenes.checking import check_dataset
from scenes.exchange.formats import Options
from scenes.exchange.source import SourceError
from scenes.exchange.store import store
from tests.fuzz import places


def import_one(read, name, data):
    """Whether a reader made a dataset of bytes, which lie as the file `name` beside the images of places.dataset()."""
    with places.folder() as given:
        source = given / "source"
        for part, new in (("images", "images"), ("masks", "labels")):
            places.linked(places.dataset() / part, source / new)
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        try:
            found = read(source, Options())
            assert all(str(problem).encode() for problem in found.problems)
            _, problems = store(found.items, given / "brought", found.category)
        except SourceError as error:
            assert str(error).encode()
            return False
        assert all(str(problem).encode() for problem in problems)
        assert check_dataset(given / "brought") == []
        return True
