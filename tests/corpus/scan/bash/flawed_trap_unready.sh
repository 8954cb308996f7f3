#!/bin/bash
# flawed: signal-before-ready
# why: USR1 may arrive before the trap is set, and ends the child
bash -c 'trap "echo got it" USR1; while :; do sleep 0.1; done' &
child=$!
kill -USR1 $child
kill -KILL $child
wait $child
