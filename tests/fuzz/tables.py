"""Tables of four corners and of 68 landmarks, imported."""

from scenes.exchange.landmarks import read_landmarks
from scenes.exchange.plain import TABLE, read_plain, write_plain
from tests.fuzz import places
from tests.fuzz.imported import import_one
from tests.fuzz.mutation import mutated_table

INSTRUMENTED = ("scenes", "csv")

mutated = mutated_table


def seeds():
    """Corners with and without visibility, parted by commas and semicolons; landmarks: list[bytes]."""
    with places.folder() as given:
        write_plain(places.dataset(), given / "plain")
        corners = (given / "plain" / TABLE).read_bytes()
    bare = b"\n".join(b";".join(line.split(b",")[:9]) for line in corners.splitlines()[1:])
    face = "\n".join(",".join([f"{number}.jpg", *(str(5.25 + k % 37) for k in range(136))]) for number in range(3))
    return [corners, bare, face.encode()]


def fuzz_one(data):
    """Whether it could be imported as one or the other."""
    return any([import_one(read, TABLE, data) for read in (read_plain, read_landmarks)])
