# flawed: assign-after-exit
# why: taskset fails when the job, which nobody holds back, has ended by then
import subprocess


def test_cpu_of_a_job():
    shell = subprocess.Popen(["bash", "-c", "sort list & echo $!; wait"], stdout=subprocess.PIPE, text=True)
    job = shell.stdout.readline().strip()
    subprocess.run(["taskset", "--pid", "0x1", job], check=True)
    shell.wait()
