// flawed: zombie-counted-alive
// why: without Wait the child stays a zombie, which Signal(0) finds
package runner

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestWorkerEnds(t *testing.T) {
	worker := exec.Command("sleep", "100")
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(worker.Process.Pid, syscall.SIGKILL)
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if err := syscall.Kill(worker.Process.Pid, 0); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("worker is still there")
}
