// flawed: check-before-exit
// why: Signal(0) straight after Kill, without Wait
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
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err == nil {
		t.Fatal("process is still running")
	}
}
