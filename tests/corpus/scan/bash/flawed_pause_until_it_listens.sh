#!/bin/bash
# flawed: fixed-sleep
# why: two seconds stand for the gateway listening; no process is ever signalled by its pid
./gateway --port 7400 --quiet > gateway.log 2>&1 &

sleep 2
if ! ./ask-gateway --port 7400 status; then
  echo "no answer"
  exit 1
fi
