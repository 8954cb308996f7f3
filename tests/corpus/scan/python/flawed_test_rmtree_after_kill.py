# flawed: resource-still-held
# why: the data folder of a killed database is removed at once
import shutil
import subprocess


def test_crash_recovery(tmp_path):
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    db = subprocess.Popen(["mydb", "--data", str(data_dir)])
    wait_ready(db)
    db.terminate()
    shutil.rmtree(data_dir)
