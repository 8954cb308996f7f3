// correct
// why: ten seconds for the end of a process that the time limit of the command under test kills
package jobs

import (
	"syscall"
	"testing"
	"time"
)

func assertEnded(t *testing.T, pid int) {
	t.Helper()
	until := time.Now().Add(10 * time.Second)
	for syscall.Kill(pid, 0) == nil && time.Now().Before(until) {
		time.Sleep(5 * time.Millisecond)
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Fatalf("job %d outlived its time limit", pid)
	}
}
