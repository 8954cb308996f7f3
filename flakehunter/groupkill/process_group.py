"""Backend `process-group`: killpg(2), with what each system has to find and watch the members."""

import sys

assert sys.platform != "win32"

if sys.platform == "darwin":
    from flakehunter.groupkill.macos import ProcessGroupBackend
else:
    from flakehunter.groupkill.linux.process_group import ProcessGroupBackend

__all__ = ["ProcessGroupBackend"]
