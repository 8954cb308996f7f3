# flawed: assign-after-exit
# why: the job of 200 ms may be over before the recorder has started and looks for it
import subprocess
import sys

SCRIPT = "sleep 0.2 & echo $!; wait"


def test_recorder_attaches():
    shell = subprocess.Popen(["sh", "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    worker = shell.stdout.readline().strip()
    subprocess.run([sys.executable, "-m", "recorder", "--attach", worker], check=True)
    shell.wait()
