# correct
# why: the job waits for a line before it begins
import subprocess


def test_cpu_of_a_job():
    script = "(read -r line; exec sort list) & echo $!; wait"
    shell = subprocess.Popen(["bash", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    job = shell.stdout.readline().strip()
    subprocess.run(["taskset", "--pid", "0x1", job], check=True)
    shell.communicate("go\n")
