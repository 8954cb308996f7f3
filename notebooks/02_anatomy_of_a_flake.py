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
# # Anatomy of a check-before-exit flake
#
# A test aborts a job, and asserts at once that the job's grandchild is gone. It passes nearly always. This
# notebook takes it apart on this machine: a traced run shows how close it was, many kills show how long a process
# takes to die here, and both together predict how often the test fails, which is then measured.

# %%
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

here = Path.cwd()
project = next(
    folder / "sample_data/project" for folder in (here, *here.parents) if (folder / "sample_data/project").is_dir()
)
test = "tests/test_abort.py::test_abort_ends_the_grandchild"
print(f"{multiprocessing.cpu_count()} CPUs")

# %% [markdown]
# ## One run under strace
#
# `flakehunter trace` runs the test once. Passing or not, it tells which look at a process was not ordered after
# its death, and by how many milliseconds the test got away with it: the *slack*.

# %%
command = [sys.executable, "-m", "flakehunter", "trace", "--json", "--", sys.executable, "-m", "pytest", "-q", test]
traced = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
trace = json.loads(traced.stdout)
finding = next((item for item in trace["findings"] if item["mechanism"] == "check-before-exit"), trace["findings"][0])
print(f"exit code {trace['exit_code']}: {finding['text']}")

# %%
moments = {name: finding[f"{name}_ms"] for name in ("signal", "exit", "reap", "look")}
moments = {name: value - finding["signal_ms"] for name, value in moments.items() if value is not None}
figure, axes = plt.subplots(figsize=(8, 1.9), layout="constrained")
axes.axhline(0, color="0.8", zorder=0)
for height, (name, value) in enumerate(sorted(moments.items(), key=lambda pair: pair[1])):
    axes.plot(value, 0, "o", markersize=11, label=name)
    axes.annotate(
        f"{name}\n{value:.2f} ms", (value, 0), (0, 18 if height % 2 else -30), textcoords="offset points", ha="center"
    )
axes.set_ylim(-1, 1)
axes.set_yticks([])
axes.margins(x=0.12)
axes.set_xlabel("milliseconds after the signal")
slack = "no slack: it was caught alive" if finding["slack_ms"] is None else f"slack {finding['slack_ms']:.2f} ms"
axes.set_title(f"{' '.join(finding['argv'])[:50]}: {slack}")
plt.show()

# %% [markdown]
# ## How long does a process take to die?
#
# `kill()` returns when the signal is queued. From then on the victim has to be scheduled, to run its exit, and to
# be reaped. So: start what the test starts, signal its group, and look until the grandchild is gone, without any
# pause. Forty times on the machine as it is, and forty times beside four busy processes.


# %%
def spin():
    while True:
        pass


@contextmanager
def busy(count):
    """Keep the CPUs busy with that many processes."""
    workers = [multiprocessing.get_context("fork").Process(target=spin, daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def is_alive(pid):
    """Whether the process runs: neither gone nor a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


bash = shutil.which("bash")


def kill_once(wait_ms):
    """Abort a job as the test does, look after `wait_ms`; return (whether it was alive, milliseconds to its death)."""
    job = subprocess.Popen([bash, "-c", "sleep 30 & echo $!; wait"], stdout=subprocess.PIPE, text=True, process_group=0)
    grandchild = int(job.stdout.readline())
    os.killpg(job.pid, signal.SIGTERM)
    signalled = time.perf_counter()
    while (time.perf_counter() - signalled) * 1000 < wait_ms:
        time.sleep(0)
    seen = is_alive(grandchild)
    while is_alive(grandchild):
        time.sleep(0)
    died = (time.perf_counter() - signalled) * 1000
    job.wait()
    job.stdout.close()
    return seen, died


kills = []
for workers in (0, 4):
    with busy(workers):
        kills += [{"load": f"{workers} busy processes", "death_ms": kill_once(0)[1]} for _ in range(40)]
deaths = pd.DataFrame(kills)
deaths.groupby("load")["death_ms"].describe(percentiles=[0.5, 0.9]).round(2)

# %% [markdown]
# ## Predicted and measured
#
# A look `t` milliseconds after the signal fails as often as deaths take longer than `t`. That is the prediction:
# one minus the distribution function of the time to death. The measurement does what a flawed test does: signal,
# wait `t`, look once.

# %%
waits_ms = (0, 0.5, 1, 2, 5, 20)
looks = []
for workers in (0, 4):
    with busy(workers):
        for wait in waits_ms:
            alive = [kill_once(wait)[0] for _ in range(12)]
            looks.append({"load": f"{workers} busy processes", "wait_ms": wait, "failed": float(np.mean(alive))})
measured = pd.DataFrame(looks)

figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
for color, (load, times) in zip(("tab:green", "tab:red"), deaths.groupby("load")["death_ms"], strict=True):
    ordered = np.sort(times.to_numpy())
    survival = 1 - np.arange(1, len(ordered) + 1) / len(ordered)
    axes.step([0.1, *ordered, 200], [1.0, *survival, 0.0], where="post", color=color, label=f"predicted, {load}")
    own = measured[measured["load"] == load]
    axes.plot(own["wait_ms"].clip(lower=0.1), own["failed"], "o", color=color, label=f"measured, {load}")
allowed = max(0.1, finding["look_ms"] - finding["signal_ms"])
axes.axvline(allowed, color="0.4", linestyle=":", label="what the traced test allowed")
axes.set_xscale("log")
axes.set_xlim(0.1, 200)
axes.set_xlabel("look so many milliseconds after the signal")
axes.set_ylabel("share of looks that fail")
axes.legend(fontsize=8)
plt.show()

# %%
predicted = {load: float((times > allowed).mean()) for load, times in deaths.groupby("load")["death_ms"]}
rates = pd.DataFrame({"from the deaths above": predicted})
print(f"a look {allowed:.1f} ms after the signal fails in so many of all runs:")
print(rates.round(2).to_string())
print("what flakehunter trace predicts:", {load: round(rate, 2) for load, rate in finding["predicted_rates"].items()})

# %% [markdown]
# No pause makes the look safe: a longer one only moves along a curve that a busier machine pulls to the right.
# The fix is to look until a deadline that costs nothing when the process dies in time. Ten times the slowest
# death seen here:

# %%
slowest = deaths["death_ms"].max()
print(f"slowest of {len(deaths)} deaths: {slowest:.1f} ms; deadline: {max(1.0, 10 * slowest / 1000):.1f} s at least")
