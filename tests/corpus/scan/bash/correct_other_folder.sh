#!/usr/bin/env bash
# correct
# why: nothing says that the signalled monitor has anything to do with the folder that is removed
teardown() {
    if [[ -n "$MONITOR_PID" ]]; then
        kill "$MONITOR_PID"
    fi
    rm -rf "$SCRATCH_DIR"
}
