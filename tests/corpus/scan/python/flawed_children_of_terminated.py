# flawed: check-before-exit
# why: the children of what was terminated are looked for at once
import psutil


def test_shutdown_leaves_no_children(service):
    names = ["api", "queue"]
    members = []
    for name in names:
        members += [c.pid for c in psutil.Process(service.info(name).pid).children()]
    for name in names:
        service.info(name).terminate()
    for pid in members:
        assert not psutil.pid_exists(pid)
