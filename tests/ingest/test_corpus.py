"""Everything in a corpus of real files is read as its ground truth says; left out where the corpus is not there."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"


@pytest.mark.skipif(not (CORPUS / "junit" / "index.tsv").is_file(), reason="the corpus is not beside the repository")
def test_the_corpus_is_read_as_its_truth_says(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("ingest_corpus", ROOT / "benchmarks" / "ingest_corpus.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    status = module.main(CORPUS)
    out = capsys.readouterr().out
    assert status == 0, "\n".join(line for line in out.splitlines() if line.startswith("DIFFERENT"))
    # A disagreement that is none any more must not stay argued.
    argued = {line.split(":", 1)[0].split("/", 1)[1] for line in out.splitlines() if line.startswith("argued")}
    assert argued == set(module.ARGUED)
