# flawed: fixed-sleep
# why: half a second stands for the wait until the workers are gone
@test "the limit ends the workers" {
  run with_limit 1 "$BATS_TEST_TMPDIR/workers.sh"
  assert_failure 124
  sleep 0.5
  run pgrep -f "worker --forever"
  assert_failure
}
