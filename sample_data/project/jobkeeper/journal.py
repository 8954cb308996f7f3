"""The journal: one JSON line an event, and a compact copy with a checksum at the end of a session."""

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any


class Journal:
    """The events of one agent, kept in `folder`/journal.jsonl and, once compacted, in `folder`/journal.z."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal.jsonl"
        self.compacted = folder / "journal.z"
        self.events: list[dict[str, Any]] = []

    def replay(self) -> int:
        """Read the events of earlier sessions and return how many there are."""
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines()
            self.events = [json.loads(line) for line in lines]
        return len(self.events)

    def add(self, **event: Any) -> None:
        """Append one event to the file at once."""
        self.events.append(event)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")

    def compact(self) -> str:
        """Write all events compressed, and return their SHA-256."""
        raw = "\n".join(json.dumps(event, sort_keys=True) for event in self.events).encode()
        digest = hashlib.sha256(raw).hexdigest()
        partial = self.compacted.with_suffix(".part")
        partial.write_bytes(zlib.compress(raw, 9))
        partial.rename(self.compacted)
        return digest


def read_compacted(path: Path) -> list[dict[str, Any]]:
    """Return the events of a compacted journal."""
    return [json.loads(line) for line in zlib.decompress(path.read_bytes()).splitlines()]
