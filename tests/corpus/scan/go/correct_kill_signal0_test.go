// correct
// why: Wait comes before the probe
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
	pid := cmd.Process.Pid
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Fatalf("process %d: %v", pid, err)
	}
}
