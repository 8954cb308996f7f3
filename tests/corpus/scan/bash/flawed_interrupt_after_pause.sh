#!/bin/bash
# flawed: fixed-sleep
# why: a tenth of a second stands for the recorder having got as far as its handler
./recorder --out trace.bin &
recorder=$!
sleep 0.1
kill -s SIGINT "$recorder"
wait "$recorder"
