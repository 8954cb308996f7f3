#!/usr/bin/env bash
# correct
# why: the folder is removed last of all, and nobody sees whether it could be
set -u
work=$(mktemp -d)
./monitor >"$work/monitor.txt" &
monitor_pid=$!
for _ in {1..40}; do
    grep -q ready "$work/monitor.txt" && break
    sleep 0.5
done

kill "$monitor_pid"
rm -rf "$work"

exit 0
