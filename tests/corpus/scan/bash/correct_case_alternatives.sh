#!/usr/bin/env bash
# correct
# why: one run takes one case, and what another case signals is nobody's affair
set -u
port=8932

case "$1" in
kill)
  kill -9 "$(cat server.pid)"
  ;;
serve)
  ./server --port "$port" --pid-file server.pid &
  ;;
gone)
  ! kill -0 "$(cat server.pid)" || exit 1
  ;;
esac
