# flawed: fixed-sleep
# why: the shell starts the site beside the test, and two seconds stand for it being up
import os
import time

from site_client import front_page


def test_front_page():
    os.system("python -m site_server 8123 &")
    time.sleep(2)
    assert "welcome" in front_page("http://localhost:8123/")
    os.system("pkill -f site_server")
