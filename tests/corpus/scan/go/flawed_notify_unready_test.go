// flawed: signal-before-ready
// why: SIGHUP can reach the shell before it has set its trap
package runner

import (
	"os/exec"
	"syscall"
	"testing"
)

func TestReload(t *testing.T) {
	cmd := exec.Command("sh", "-c", `trap 'echo reloaded' HUP; while :; do sleep 0.1; done`)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}
