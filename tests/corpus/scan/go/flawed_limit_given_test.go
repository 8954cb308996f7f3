// flawed: deadline-too-short
// why: the helper is given one second
package a
func waitGone(pid int, limit time.Duration) bool {
	deadline := time.Now().Add(limit)
	for time.Now().Before(deadline) {
		if syscall.Kill(pid, 0) != nil {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}
func TestGroup(t *testing.T) {
	pid := startGrandchild(t)
	cancel()
	if !waitGone(pid, time.Second) {
		t.Fatal("alive")
	}
}
