"""SIGTERM to the group and to the daemon that left it; a pidfd tells when the daemon has ended, for at most 5 s."""

import os
import select
import signal
import subprocess
import sys

# A daemon as in daemon(7): twice forked, in a session of its own, out of the group's reach. It would end by itself when
# its standard input does.
SHELL = "exec 3<&0; (setsid bash -c 'echo $$; exec cat <&3 >/dev/null' &); exec sleep 30 <&-"

leader = subprocess.Popen(
    ["bash", "-c", SHELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
)
daemon = int(leader.stdout.readline())
pidfd = os.pidfd_open(daemon)
os.killpg(leader.pid, signal.SIGTERM)
signal.pidfd_send_signal(pidfd, signal.SIGTERM)
leader.wait()
leader.stdin.close()
if not select.select([pidfd], [], [], 5)[0]:
    sys.exit(f"process {daemon} (cat) is still alive after 5 s")
