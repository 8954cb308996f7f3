#!/usr/bin/env bash
# What `make demo` runs: the commands a user would type, each printed before it runs. No step is canned: the history
# was really recorded (sample_data/README.md), and `repro` runs the tests here and now, under CPU stress.
set -euo pipefail

typed() {
    printf '\n$'
    printf ' %s' "${@@Q}" | sed "s/'\([A-Za-z0-9_.:/=-]*\)'/\1/g"
    printf '\n'
    "$@"
}

typed flakehunter ingest sample_data/runs --layout '{commit}/{run_id}-{attempt}/{job}/**'
typed flakehunter detect
typed flakehunter repro test_abort_ends_the_grandchild --directory sample_data/project \
    --stress cpu:8 --fix-test test_abort_ends_the_grandchild_by_the_deadline
printf '\n'
typed flakehunter report -o flakehunter-report
