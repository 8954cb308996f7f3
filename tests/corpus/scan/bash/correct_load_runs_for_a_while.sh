#!/bin/bash
# correct
# why: the pause is how long the load runs; it is killed, and nothing is asked of it
./make-load --threads 4 &
load=$!
sleep 10
kill -9 "$load"
wait "$load"
