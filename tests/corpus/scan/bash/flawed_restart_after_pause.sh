#!/bin/bash
# flawed: fixed-sleep
# why: three seconds stand for the old ledger having given its port and lock back
pkill -f bin/ledger || true
sleep 3
nohup ./bin/ledger --port 7500 > ledger.log 2>&1 &
echo "ledger is back"
