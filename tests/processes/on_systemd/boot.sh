#!/bin/bash
# The first process of private pid, mount and cgroup namespaces: becomes a systemd that runs one command and ends.
# Usage: boot.sh OUTPUT_FILE COMMAND…
set -e
output=$1
shift
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
umount --recursive --lazy /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/units/user
cat >/run/units/checks.service <<UNIT
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
Environment="PATH=$PATH"
WorkingDirectory=$PWD
ExecStart=$(printf ' "%s"' "$@")
StandardOutput=file:$output
StandardError=inherit
UNIT
# A user's systemd, as logind would start it.
cat >/run/units/user@.service <<UNIT
[Unit]
DefaultDependencies=no
[Service]
User=%i
Type=notify
Delegate=yes
ExecStartPre=+/bin/mkdir -p /run/user/%i
ExecStartPre=+/bin/chown %i /run/user/%i
Environment=XDG_RUNTIME_DIR=/run/user/%i SYSTEMD_UNIT_PATH=/run/units/user
ExecStart=/lib/systemd/systemd --user --log-target=console
UNIT
printf '[Unit]\nDescription=nothing\n' | tee /run/units/user/default.target /run/units/user/basic.target >/dev/null
export SYSTEMD_UNIT_PATH=/run/units container=flakehunter
exec /lib/systemd/systemd --system --unit=checks.service --log-target=console --log-level=warning --show-status=no
