// correct
// why: the handle of the pid is polled before it is looked at once more
package pool

import (
	"os"
	"syscall"
	"testing"
	"time"
)

func TestKillReachesTheGrandchild(t *testing.T) {
	workers, grandchildPID := startPool(t)
	if err := workers.Kill("second"); err != nil {
		t.Fatal(err)
	}
	handle, _ := os.FindProcess(grandchildPID)
	waitFor(t, func() bool {
		return handle.Signal(syscall.Signal(0)) != nil
	}, 20*time.Second)
	if err := handle.Signal(syscall.Signal(0)); err == nil {
		t.Errorf("process %d still runs", grandchildPID)
	}
}
