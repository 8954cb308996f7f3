#!/bin/bash
# correct
# why: the pid file is not of the client that runs in the background
resolve @10.1.0.2 -p "$PORT" www.example.org >answer.1 &
sleep 1
echo "the policy is taken away"
test -f helper.pid && kill -USR1 "$(cat helper.pid)" || true
wait
