// flawed: check-before-exit
// why: Kill without Wait, then signal 0
package runner

import (
	"os/exec"
	"syscall"
	"testing"
)

func TestStopKillsProcess(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err == nil {
		t.Fatalf("process %d is still alive", cmd.Process.Pid)
	}
}
