// flawed: check-before-exit
// why: compared with ESRCH right after the kill
package exec

import (
	"errors"
	"os/exec"
	"syscall"
	"testing"
)

func TestKill(t *testing.T) {
	cmd := exec.Command("sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	_ = syscall.Kill(pid, syscall.SIGKILL)
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Fatalf("want ESRCH, got %v", err)
	}
}
