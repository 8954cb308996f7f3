# correct
# why: the job sleeps for minutes, the recorder finds it in any case
import subprocess
import sys

SCRIPT = "sleep 600 & echo $!; wait"


def test_recorder_attaches():
    shell = subprocess.Popen(["sh", "-c", SCRIPT], stdout=subprocess.PIPE, text=True, start_new_session=True)
    worker = shell.stdout.readline().strip()
    subprocess.run([sys.executable, "-m", "recorder", "--attach", worker], check=True)
    end_group(shell)
