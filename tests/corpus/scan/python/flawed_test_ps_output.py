# flawed: check-before-exit
# why: ps is asked right after pkill
import subprocess


def test_pkill():
    proc = subprocess.Popen(["sleep", "4711"])
    subprocess.run(["pkill", "-f", "sleep 4711"], check=True)
    out = subprocess.run(["ps", "-p", str(proc.pid)], capture_output=True, text=True).stdout
    assert str(proc.pid) not in out
