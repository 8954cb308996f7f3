#!/bin/bash
# flawed: resource-still-held
# why: the second server starts on the port of the first, which may still be open
PORT=8099
python3 -m http.server $PORT &
first=$!
until nc -z localhost $PORT; do sleep 0.1; done
kill $first
python3 -m http.server $PORT &
second=$!
kill $second
wait
