// correct
// why: the channel is closed when Wait has returned; the time-out kills and fails
package runner

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestStop(t *testing.T) {
	cmd := exec.Command("./server")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	waitReady(t)
	_ = cmd.Process.Signal(os.Interrupt)
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		t.Fatal("server did not stop")
	}
	if cmd.ProcessState == nil || !cmd.ProcessState.Exited() {
		t.Error("server did not exit")
	}
}
