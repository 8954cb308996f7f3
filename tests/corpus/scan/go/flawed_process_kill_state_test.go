// flawed: check-before-exit
// why: Process.Kill only sends the signal
package client

import (
	"os/exec"
	"syscall"
	"testing"
)

func TestKillEndsTheProcess(t *testing.T) {
	worker := exec.Command("worker")
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	worker.Process.Kill()
	if err := syscall.Kill(worker.Process.Pid, 0); err == nil {
		t.Fatal("still runs")
	}
}
