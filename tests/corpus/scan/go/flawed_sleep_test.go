// flawed: fixed-sleep
// why: time.Sleep stands for Wait
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
	go func() { _ = cmd.Wait() }()
	waitReady(t)
	_ = cmd.Process.Signal(os.Interrupt)
	time.Sleep(200 * time.Millisecond)
	if cmd.ProcessState == nil {
		t.Error("server did not stop")
	}
}
