"""Run the notebooks and write each .ipynb anew from its .py: python notebooks/execute.py [NAME...]."""

import sys
from pathlib import Path

import jupytext
import nbclient
import nbformat

HERE = Path(__file__).resolve().parent


def execute(path: Path) -> nbformat.NotebookNode:
    """Run the text file of a notebook from its first cell to its last, and return the notebook with its outputs."""
    notebook = jupytext.read(path)
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # random ids would change the file with every run
        cell["metadata"].pop("execution", None)
    return notebook


def main() -> None:
    """Execute the notebooks that were named, or all."""
    wanted = sys.argv[1:] or [path.stem for path in sorted(HERE.glob("[0-9]*.py"))]
    for name in wanted:
        path = HERE / f"{Path(name).stem}.py"
        jupytext.write(execute(path), path.with_suffix(".ipynb"))
        print(path.with_suffix(".ipynb"))


if __name__ == "__main__":
    main()
