// correct
// why: the helper kills and waits
package runner

import (
	"os/exec"
	"syscall"
	"testing"
)

func stop(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.Process.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestStop(t *testing.T) {
	cmd := exec.Command("sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop(t, cmd)
	if syscall.Kill(cmd.Process.Pid, 0) == nil {
		t.Fatal("still alive")
	}
}
