#!/bin/bash
# flawed: signal-before-ready
# why: SIGHUP after a pause: it ends a daemon that has not set its handler yet
./daemon &
pid=$!
sleep 1
kill -HUP $pid
kill -TERM $pid
wait $pid
[ $? -eq 0 ] || { echo FAIL; exit 1; }
