// correct
// why: Wait reaps the child before the look
package runner

import (
	"os/exec"
	"syscall"
	"testing"
)

func TestKillStopsProcess(t *testing.T) {
	cmd := exec.Command("sleep", "30")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := cmd.Process.Signal(syscall.Signal(0)); err == nil {
		t.Fatal("process is still running")
	}
}
