# flawed: resource-still-held
# why: the killed process may still write into the directory that is removed
import shutil
import subprocess
import tempfile


class TestBuild:
    def test_cancel(self):
        workdir = tempfile.mkdtemp()
        build = subprocess.Popen(["make", "-C", workdir, "all"], cwd=workdir)
        build.kill()
        shutil.rmtree(workdir)
