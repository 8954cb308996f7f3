// flawed: deadline-too-short
// why: a second of polling, and the kill after it is no escalation: the test has failed by then
package work

import (
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestCancelReachesTheGrandchild(t *testing.T) {
	command := exec.CommandContext(ctx, "sh", "-c", script)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	grandchild := readPid(t, pidFile)
	cancel()
	alive := true
	for attempt := 0; attempt < 50; attempt++ {
		if err := syscall.Kill(grandchild, 0); err != nil {
			alive = false
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if alive {
		_ = syscall.Kill(grandchild, syscall.SIGKILL)
		t.Fatalf("%d survived the cancel", grandchild)
	}
}
