#!/bin/bash
# Run a command as nobody below a `systemd --user` of nobody's own, whose part of the cgroup hierarchy is delegated to it.
set -e
id=65534
home=/run/user/$id
cat >/run/units/user/checks.service <<UNIT
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
Environment="PATH=$PATH" HOME=$home XDG_RUNTIME_DIR=$home
WorkingDirectory=$PWD
ExecStart=$(printf ' "%s"' "$@")
StandardOutput=file:$home/output
StandardError=inherit
UNIT
systemctl start user@$id.service
status=0
setpriv --reuid=$id --regid=$id --clear-groups env XDG_RUNTIME_DIR=$home systemctl --user start checks.service || status=$?
cat $home/output
systemctl kill --signal=KILL user@$id.service # or the end of the machine would wait for it
exit $status
