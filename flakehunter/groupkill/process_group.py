"""Backend `process-group`: killpg(2), with what each system has to find and watch the members."""

import sys

if sys.platform == "darwin":
    from flakehunter.groupkill.macos import ProcessGroupBackend
else:
    from flakehunter.groupkill.process_group_linux import ProcessGroupBackend

__all__ = ["ProcessGroupBackend"]
