# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Explore a CI history with pandas
#
# `flakehunter.load(...)` gives the database as tidy DataFrames: one row an attempt of a test, with commit, job and
# outcome. This notebook reads the recorded runs of the sample project and asks three questions: which tests fail, which
# of them fail and pass **at the same commit** (that is the proof of a flake), and how long passes and failures take.

# %%
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import flakehunter

here = Path.cwd()
runs = next(folder / "sample_data/runs" for folder in (here, *here.parents) if (folder / "sample_data/runs").is_dir())
database = Path(tempfile.mkdtemp()) / "history.db"

for command in (
    ["ingest", "--layout", "{commit}/{run_id}-{attempt}/{job}/**", str(runs)],
    ["detect"],
):
    subprocess.run(
        [sys.executable, "-m", "flakehunter", *command, "--db", str(database)], check=True, stdout=subprocess.DEVNULL
    )

# %%
history = flakehunter.load(database)
results = history.results
results["bad"] = results["outcome"].isin(["failed", "errored"])
print(f"{len(results):,} results of {results['test'].nunique()} tests in {len(history.runs)} jobs")
results[["test", "commit", "job", "outcome", "duration_s"]].sample(5, random_state=1)

# %% [markdown]
# ## Which tests fail, and which of them are flaky?
#
# A test that fails everywhere at a commit is broken by it. One that fails *and* passes in jobs of one kind at one
# commit cannot be decided by the code alone.

# %%
ran = results[results["outcome"] != "skipped"]
per_commit = ran.groupby(["test", "job", "commit"], observed=True)["bad"].agg(["sum", "count"])
per_commit["mixed"] = (per_commit["sum"] > 0) & (per_commit["sum"] < per_commit["count"])
table = pd.DataFrame(
    {
        "failures": ran.groupby("test", observed=True)["bad"].sum(),
        "attempts": ran.groupby("test", observed=True)["bad"].size(),
        "mixed commits": per_commit.groupby("test", observed=True)["mixed"].sum(),
    }
)
table["rate"] = (table["failures"] / table["attempts"]).round(3)
table = table.join(history.verdicts.set_index("test")[["verdict", "mechanism"]])
failing = table[table["failures"] > 0].sort_values(["mixed commits", "rate"], ascending=False)
failing  # noqa: B018

# %% [markdown]
# ## The history as a picture
#
# Tests that ever failed, by commit, oldest commit first. A flake is a row of scattered colour; a regression that was
# mended later is one solid block.

# %%
order = ran.groupby("commit", observed=True)["started_at"].min().sort_values(kind="stable").index
grid = (
    ran[ran["test"].isin(failing.index)]
    .pivot_table(index="test", columns="commit", values="bad", aggfunc="mean", observed=True)
    .reindex(index=failing.index, columns=order)
)
figure, axes = plt.subplots(figsize=(9, 0.6 + 0.32 * len(grid)), layout="constrained")
image = axes.imshow(grid, cmap="OrRd", vmin=0, vmax=1, aspect="auto", interpolation="none")
axes.set_yticks(range(len(grid)), [name.rpartition("::")[2][:44] for name in grid.index], fontsize=8)
axes.set_xticks(range(len(order)), [commit[:7] for commit in order], rotation=90, fontsize=7, family="monospace")
axes.set_title("share of attempts that failed")
figure.colorbar(image, ax=axes, shrink=0.8)
plt.show()

# %% [markdown]
# ## Do failures take longer than passes?
#
# A look that comes too early fails at once; a deadline that is too short fails when the time is over. The durations
# tell the two apart.

# %%
flaky = failing.index[failing["verdict"] == "flaky"]
durations = ran[ran["test"].isin(flaky)].groupby(["test", "bad"], observed=True)["duration_s"].describe()
durations[["count", "50%", "max"]].rename(index={False: "pass", True: "failure"}, level="bad").round(3)
