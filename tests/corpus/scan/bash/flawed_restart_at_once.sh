#!/bin/bash
# flawed: resource-still-held
# why: the old ledger was only told to end when the new one is started on its port
pkill -f bin/ledger
./bin/start-ledger-server.sh --port 7500
