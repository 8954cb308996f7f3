#!/bin/sh
# flawed: assign-after-exit
# why: a short command is moved into the cgroup after its start
set -e
cg=/sys/fs/cgroup/test-$$
mkdir "$cg"
/bin/true &
child=$!
echo "$child" > "$cg/cgroup.procs"
wait "$child"
rmdir "$cg"
