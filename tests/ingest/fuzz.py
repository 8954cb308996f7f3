"""Coverage-guided fuzzing of the readers with atheris: `make fuzz`, or `python fuzz.py CORPUS -max_total_time=600`.

No input may make anything but rows, or a refusal with a reason. The first byte of an input chooses the reader; the
corpus begins with the fixtures. `test_fuzz.py` does a little of this in every run of the suite, without atheris.
"""

import io
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["flakehunter.ingest"]):
    from flakehunter.ingest.archives import archive_kind, members
    from flakehunter.ingest.artifact import ArtifactReader, Refused
    from flakehunter.ingest.limits import MIB, Limits
    from flakehunter.ingest.sources import Kind

LIMITS = Limits(xml_element=MIB, archive_bytes=8 * MIB, archive_entries=100)
READERS = {0: Kind.JUNIT, 1: Kind.LOG}
SEEDS = Path(__file__).parent / "fixtures"


def read(kind: Kind, data: bytes) -> None:
    """Read one file as ingest does."""
    reader = ArtifactReader(kind, io.BytesIO(data), LIMITS)
    try:
        for batch in reader.batches():
            assert all(row[0] < len(batch.tests) for row in batch.results)
            assert all(row.test is None or row.test < len(batch.tests) for row in batch.properties)
    except Refused:
        pass


def unpack(data: bytes) -> None:
    """Go through an archive and what is in it."""
    for member in members(io.BytesIO(data), archive_kind(data) or "zip", LIMITS):
        assert member.content is not None or member.problem


def one_input(data: bytes) -> None:
    """Use one input of the fuzzer."""
    choice = data[0] % 3 if data else 0
    if choice in READERS:
        read(READERS[choice], data[1:])
    else:
        unpack(data[1:])


def seed(corpus: Path) -> None:
    """Put the fixtures into an empty corpus, each with the byte that chooses its reader."""
    corpus.mkdir(parents=True, exist_ok=True)
    if any(corpus.iterdir()):
        return
    for number, path in enumerate(sorted(SEEDS.rglob("*.*"))):
        (corpus / f"seed-{number}").write_bytes(bytes([0 if path.suffix == ".xml" else 1]) + path.read_bytes())


if __name__ == "__main__":
    seed(Path(sys.argv[1]))
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
