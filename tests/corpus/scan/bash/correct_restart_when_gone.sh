#!/bin/bash
# correct
# why: the new ledger starts when the old one is gone
pkill -f bin/ledger || true
while pgrep -f bin/ledger > /dev/null; do
  sleep 0.1
done
nohup ./bin/ledger --port 7500 > ledger.log 2>&1 &
echo "ledger is back"
