#!/usr/bin/env bash
# flawed: resource-still-held
# why: the server may write into its folder while that is removed
teardown() {
    if [[ -n "$SERVER_PID" ]]; then
        kill "$SERVER_PID"
    fi
    rm -rf "$SERVER_DIR"
}
