#!/usr/bin/env bash
# correct
# why: the move only fails where a file is missing; no look is meant by it
hide_keys() {
    for user in a b; do
        mv "$OBJ/user_$user" "$OBJ/user_x$user" || fatal "hide $user"
    done
}
hide_keys
"$AGENT" -a "$SOCKET" >"$OBJ/agent.log" 2>&1 &
agent_pid=$!
trap 'kill $agent_pid' EXIT
until "$ADD" -l; do sleep 1; done
sleep 1
hide_keys
