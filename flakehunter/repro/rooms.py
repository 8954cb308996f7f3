"""What repro needs of the system that it runs on: `here` is the room of this one; all rooms hold the same names.

can(name)                   whether a stressor of ours works here, and why not
require()                   refuse, with a hint, where no trial can be run
start_nursery(…)            for any command; start_warm_nursery(…) for a pytest that can be forked
ended_from_outside(status), how_it_ended(status), CANNOT_RUN       what an exit status means
split_words(text), join_words(words), SHELL_LINE                   how command lines are written
start_caretaker(), uninterrupted()                                 what takes away what the harness leaves
ORPHANS                     who reaps the orphans of a trial
"""

import sys

if sys.platform == "win32":
    from flakehunter.repro.windows import room as here
elif sys.platform == "linux":
    from flakehunter.repro.linux import room as here
else:
    from flakehunter.repro import elsewhere as here

__all__ = ["here"]
