#!/usr/bin/env bash
# flawed: check-before-exit
# why: the old daemon was there before the restart, and has to be gone when the restart has only been asked for
set -eu
control() { bash ../control.sh "$@"; }

control start
old="$(cat daemon.pid)"
kill -0 "$old" || { echo "FAIL: not started"; exit 1; }

control replace
new="$(cat daemon.pid)"
[[ "$new" != "$old" ]] || { echo "FAIL: the same"; exit 1; }
kill -0 "$old" 2>/dev/null && { echo "FAIL: the old one lives on"; exit 1; } || true
