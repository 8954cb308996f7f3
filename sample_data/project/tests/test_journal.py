"""The journal."""

import hashlib

from jobkeeper.journal import Journal, read_compacted


def test_events_are_replayed(tmp_path):
    first = Journal(tmp_path)
    first.add(job="build", code=0)
    first.add(job="deploy", code=1)
    second = Journal(tmp_path)
    assert second.replay() == 2
    assert second.events == first.events


def test_empty_folder_replays_nothing(tmp_path):
    assert Journal(tmp_path).replay() == 0


def test_compacted_journal_reads_back(tmp_path):
    journal = Journal(tmp_path)
    journal.add(job="build")
    digest = journal.compact()
    assert digest == hashlib.sha256(b'{"job": "build"}').hexdigest()
    assert read_compacted(journal.compacted) == [{"job": "build"}]
