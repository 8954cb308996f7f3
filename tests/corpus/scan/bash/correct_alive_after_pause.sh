#!/bin/bash
# correct
# why: a job that is slow to start lives too; only one that ended early fails this
./stays &
stays=$!
sleep 1
if ! kill -0 "$stays"; then
  echo "ended early"
  exit 1
fi
kill -9 "$stays"
wait "$stays"
