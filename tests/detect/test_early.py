"""What `detect` has done beside it: the same is said, and little is imported."""

import random
import subprocess
import sys
from pathlib import Path

from tests.detect.builder import STILL_ALIVE, DatabaseBuilder

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
from flakehunter.detect.early import early_companion
from flakehunter.detect.rulebook import built_in
from flakehunter.fanout import companion

companion.usable_cpus = lambda: 2
with early_companion(built_in()) as beside:
    from flakehunter.detect import history
    from flakehunter.detect.assess import detect

    history.WORTH_SHARING = 1
    shared = detect(sys.argv[1], companion=beside, keep=False)
print("companion" if beside else "alone", shared == detect(sys.argv[1], keep=False), len(shared.flaky) > 2)
print(*{"sqlalchemy.orm", "sqlalchemy.dialects.postgresql", "numpy.ma", "scipy", "pandas"} & set(sys.modules))
"""


def test_detect_says_the_same_with_a_companion_and_imports_little(tmp_path: Path) -> None:
    draw = random.Random(1)
    builder = DatabaseBuilder(tmp_path)
    names = [f"test_{number}" for number in range(12)]
    for commit in range(25):
        for job in ("linux", "windows"):
            run = builder.run(f"c{commit}", job=job)
            for number, name in enumerate(names):
                outcome = (
                    "F" if number in range(commit // 4) and draw.random() < 0.3 else draw.choice(["P"] * 9 + ["S"])
                )
                builder.result(run, name, outcome, failure=(*STILL_ALIVE[:2], f"> assert {draw.randint(1, 9)} == 0"))
    database = builder.close()

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, database], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    dialect = "sqlalchemy.dialects.postgresql" if database.startswith("postgresql") else ""
    assert done.stdout.splitlines() == [f"{'companion' if sys.platform == 'linux' else 'alone'} True True", dialect]
