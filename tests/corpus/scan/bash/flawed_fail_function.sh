#!/usr/bin/env bash
# flawed: fixed-sleep
# why: a job is looked at after a pause, by `look && _fail || _pass`
sleep 300 &
WORKER=$!
./pause-everything.sh
sleep 0.5
kill -0 $WORKER 2>/dev/null \
  && _fail "the worker still runs" \
  || _pass "the worker was stopped"
