#!/bin/bash
# flawed: survivor
# why: go run does not pass the signal on
go run ./cmd/server &
SERVER=$!
wait_for_port 8080
./client
kill $SERVER
wait $SERVER
