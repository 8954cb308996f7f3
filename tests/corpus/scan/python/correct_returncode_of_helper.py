# correct
# why: only a wait sets the return code: the helper has waited
import subprocess


def test_ends_quickly(tmp_path, terminate_tree):
    proc = subprocess.Popen(["sleep", "300"], start_new_session=True)
    terminate_tree(proc)
    assert proc.returncode is not None
