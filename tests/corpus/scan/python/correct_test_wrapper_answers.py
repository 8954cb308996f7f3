# correct
# why: a terminate that answers something, or takes a time limit, is no Popen.terminate: it may well wait
import psutil


def test_service_is_terminated(services):
    info = services.start("echo")
    children = psutil.Process(info.pid).children()
    assert info.terminate() == 1
    for child in children:
        assert not child.is_running()


def test_service_is_terminated_in_time(services):
    info = services.start("echo")
    info.terminate(timeout=10)
    assert not psutil.pid_exists(info.pid)
