"""The notebooks run from their first cell to their last, draw their figures, and agree with their text files."""

import os
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import nbclient
import nbformat
import pytest
from traitlets.config import Config

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.py"))


def figures(notebook: nbformat.NotebookNode) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_and_text_file_say_the_same(path: Path) -> None:
    notebook, text = jupytext.read(path.with_suffix(".ipynb")), jupytext.read(path)
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        (cell.cell_type, cell.source) for cell in text.cells
    ], "run: python notebooks/execute.py"
    assert figures(notebook) >= 1, "the notebook is committed with what it drew"


def needing_tools(path: Path) -> Any:
    """Give the notebook as a parameter that is left out where strace is missing, if it traces."""
    traces = '"trace"' in path.read_text(encoding="utf-8")
    return pytest.param(path, marks=pytest.mark.needs("strace") if traces else (), id=path.stem)


@pytest.mark.slow
@pytest.mark.parametrize("path", [needing_tools(path) for path in NOTEBOOKS])
def test_notebook_runs_and_draws(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    notebook = jupytext.read(path)
    # Over sockets with names: of a port that was free just now nobody knows whether it is when the kernel takes it.
    with tempfile.TemporaryDirectory(prefix="kernel-") as folder:  # a name of at most 107 bytes, unix(7)
        client = nbclient.NotebookClient(
            notebook,
            timeout=250,
            kernel_name="python3",
            resources={"metadata": {"path": ROOT}},
            config=Config(KernelManager={"transport": "ipc", "ip": f"{folder}/socket"}),
        )
        client.execute(env={**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"})
    assert figures(notebook) >= 1
