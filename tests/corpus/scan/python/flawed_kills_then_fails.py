# flawed: deadline-too-short
# why: a second to end in, and the test fails when it is up: that it kills the child before is only cleaning up
import subprocess, sys
def test_ends_on_term():
    proc = subprocess.Popen([sys.executable, "-m", "app.serve"], stdout=subprocess.PIPE)
    proc.stdout.readline()
    proc.terminate()
    try:
        proc.wait(timeout=1)
    except subprocess.TimeoutExpired:
        proc.kill()
        pytest.fail("did not end in time")
