"""Every table of the database as CSV or Parquet files, one a table."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from flakehunter.errors import UsageError
from flakehunter.report.folder import Written, guarded_folder
from flakehunter.report.frames import FRAMES, History

if TYPE_CHECKING:
    import pandas as pd

LIST = "flakehunter-export.json"
"""Names the files of an export, apart from those of a report that may lie in the same folder."""

DOCUMENTS = ("evidence", "summary", "machine")
"""Columns of JSON documents; files hold them as text."""


def export(history: History, folder: Path, kind: str) -> Written:
    """Write every frame of `history` into `folder` as `kind`: `csv` or `parquet`.

    Raises:
        UsageError: pyarrow is not installed, the folder cannot be written, or files that are not ours are in the way.
    """
    if kind == "parquet":
        _need_pyarrow()
    names = {f"{name}.{kind}" for name in FRAMES}
    with guarded_folder(folder, names, list_name=LIST) as known:
        for name in FRAMES:
            frame = _flat(getattr(history, name))
            path = folder / f"{name}.{kind}"
            part = path.with_name(path.name + ".part")
            if kind == "csv":
                frame.to_csv(part, index=False, lineterminator="\n", errors="replace")
            else:
                frame.to_parquet(part, index=False)
            part.replace(path)
    size = sum((folder / name).stat().st_size for name in names)
    return Written(folder, len(names), size, len(known - names), 0)


def _flat(frame: "pd.DataFrame") -> "pd.DataFrame":
    columns = [name for name in DOCUMENTS if name in frame.columns]
    return frame.assign(
        **{name: [json.dumps(value, ensure_ascii=False, sort_keys=True) for value in frame[name]] for name in columns}
    )


def _need_pyarrow() -> None:
    if find_spec("pyarrow") is None:
        raise UsageError(
            "Parquet files need pyarrow, which is not installed",
            hint="pip install 'flakehunter-ci[parquet]', or use --format csv",
        )
