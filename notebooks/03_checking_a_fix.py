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
# # Checking a fix: how many runs are enough?
#
# "I ran it twenty times, and it held." For a test that failed once in ten, that is worth little. This notebook
# shows what a number of green runs proves, why making the flaw fail *often* saves most of them, and what happens
# to someone who looks after every run. At the end `flakehunter repro` checks a real fix on this machine.

# %%
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from flakehunter.stats.intervals import clopper_pearson
from flakehunter.stats.sequential import Counts, evidence_of_improvement

# %% [markdown]
# ## What green runs prove
#
# No failure in *n* runs leaves a rate of up to 1 − 0.025^(1/n) possible (the exact two-sided 95 % interval).

# %%
runs = [10, 20, 72, 183, 368, 3688]
pd.DataFrame({"green runs": runs, "the rate may still be": [f"{clopper_pearson(0, n).high:.1%}" for n in runs]})

# %%
green = np.arange(1, 200)
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
for rate in (0.5, 0.1, 0.02):
    axes.plot(green, (1 - rate) ** green, label=f"the flaw fails {rate:.0%} of the time")
axes.axhline(0.05, color="0.4", linestyle=":")
axes.set_xlabel("runs")
axes.set_ylabel("chance that an UNFIXED test stays green")
axes.set_xscale("log")
axes.legend()
plt.show()

# %% [markdown]
# Where the flaw fails in half of the runs, five green ones are news. Where it fails in two of a hundred, two
# hundred are hardly enough. So the first step of a check is no run of the fix at all: it is to make the flaw fail
# often.
#
# ## Looking after every run
#
# Compare the flawed test with a "fix" that changes nothing, both failing 30 % of the time, and stop at the first
# moment at which a fixed-sample test says p < 0.05. Then do the same with the e-value that `repro` uses (evidence
# of 20 or more).

# %%
from scipy.stats import fisher_exact  # noqa: E402

random = np.random.default_rng(5)
looks, trials = 100, 60
fooled = {"p-value": 0, "e-value": 0}
for _ in range(looks):
    before, after = (random.random(trials) < 0.3).cumsum(), (random.random(trials) < 0.3).cumsum()
    for n in range(5, trials, 6):
        if fisher_exact([[before[n], n + 1 - before[n]], [after[n], n + 1 - after[n]]], "greater").pvalue < 0.05:
            fooled["p-value"] += 1
            break
    for n in range(5, trials, 6):
        if evidence_of_improvement(Counts(int(before[n]), n + 1), Counts(int(after[n]), n + 1)) >= 20:
            fooled["e-value"] += 1
            break
shares = {name: count / looks for name, count in fooled.items()}
figure, axes = plt.subplots(figsize=(6, 2), layout="constrained")
axes.barh(list(shares), list(shares.values()), color=["tab:red", "tab:green"])
axes.axvline(0.05, color="0.4", linestyle=":")
axes.set_xlabel("share of useless fixes that were called a success")
plt.show()
print(", ".join(f"{name}: {share:.1%}" for name, share in shares.items()))

# %% [markdown]
# ## A real fix, checked here
#
# The flawed program aborts a job and looks once at its grandchild; the fixed one looks until a deadline. `repro`
# runs both under the same stress, in turns, and stops when it is certain. A rate below 20 % is called good enough
# here, so that the notebook stays quick; the default is 5 %, which takes 72 green trials.

# %%
FLAWED = """
import os, signal, subprocess, sys, time
job = subprocess.Popen(["bash", "-c", "sleep 30 & echo $!; wait"], stdout=subprocess.PIPE, text=True, process_group=0)
grandchild = int(job.stdout.readline())
def is_alive():
    try:
        os.kill(grandchild, 0)
    except ProcessLookupError:
        return False
    return True
os.killpg(job.pid, signal.SIGTERM)
job.wait()
"""
FIXED = """
deadline = time.monotonic() + 10
while is_alive() and time.monotonic() < deadline:
    time.sleep(0.01)
"""
LOOK = "sys.exit('the grandchild is still alive' if is_alive() else 0)\n"
folder = Path(tempfile.mkdtemp())
(folder / "flawed.py").write_text(FLAWED + LOOK)
(folder / "fixed.py").write_text(FLAWED + FIXED + LOOK)

command = [sys.executable, "-m", "flakehunter", "repro", "--db", str(folder / "x.db"), "--json"]
command += ["--stress", "reap-delay:30ms", "--max-rate", "0.2", "--fix", f"{sys.executable} {folder}/fixed.py"]
done = subprocess.run(
    [*command, "--", sys.executable, str(folder / "flawed.py")], check=True, capture_output=True, text=True, cwd=folder
)
result = json.loads(done.stdout)
print(result["text"])

# %%
import flakehunter  # noqa: E402

history = flakehunter.load(folder / "x.db")
tried = history.trials[history.trials["arm"].isin(["flawed", "fixed"])].copy()
tried["failed"] = tried["outcome"] == "failed"
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
for arm, color in (("flawed", "tab:red"), ("fixed", "tab:green")):
    own = tried[tried["arm"] == arm]
    failures = own["failed"].cumsum().to_numpy()
    bounds = [clopper_pearson(int(bad), n) for n, bad in enumerate(failures, start=1)]
    axes.fill_between(
        own["ordinal"], [b.low for b in bounds], [b.high for b in bounds], alpha=0.2, color=color, step="post"
    )
    axes.step(
        own["ordinal"],
        [b.value for b in bounds],
        where="post",
        color=color,
        label=f"{arm}: {failures[-1]} of {len(own)}",
    )
axes.set_xlabel("trial, both arms in turns")
axes.set_ylabel("failure rate, 95 % interval")
axes.set_ylim(0, 1)
axes.legend()
axes.set_title(result["verdict"])
plt.show()
