// flawed: fixed-sleep
// why: the helper gives the command back after a second, ready or not
package queue

import (
	"os/exec"
	"testing"
	"time"
)

func startQueue(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("./queue", "--memory")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	time.Sleep(time.Second)
	return cmd
}
