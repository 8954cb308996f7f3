// flawed: fixed-sleep
// why: a handle of the pid is looked at after a pause, and the workers are killed by a name
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
	time.Sleep(200 * time.Millisecond)
	handle, _ := os.FindProcess(grandchildPID)
	if err := handle.Signal(syscall.Signal(0)); err == nil {
		t.Errorf("process %d still runs", grandchildPID)
	}
}
