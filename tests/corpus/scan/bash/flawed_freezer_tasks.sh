#!/bin/bash
# flawed: assign-after-exit
# why: a benchmark that is over by now cannot be moved any more
./benchmark small &
echo $! > /sys/fs/cgroup/freezer/measured/tasks
wait $!
