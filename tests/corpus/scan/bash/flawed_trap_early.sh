#!/bin/bash
# flawed: signal-before-ready
# why: TERM right after the start of a script that sets a trap
bash -c 'trap "echo cleaned > out; exit 0" TERM; while :; do sleep 0.1; done' &
pid=$!
kill -TERM "$pid"
wait "$pid"
[ "$(cat out)" = cleaned ] || exit 1
