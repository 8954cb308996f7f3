// correct
// why: SIGKILL needs no handler
package a
func TestPaused(t *testing.T) {
	pid := readPid(t, pidFile)
	time.Sleep(100 * time.Millisecond)
	syscall.Kill(pid, syscall.SIGKILL)
	waitGone(t, pid)
}
