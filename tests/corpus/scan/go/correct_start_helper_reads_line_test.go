// correct
// why: the helper gives the command back when it has said that it is up
package queue

import (
	"bufio"
	"os/exec"
	"testing"
	"time"
)

func startQueue(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("./queue", "--memory")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	time.Sleep(10 * time.Millisecond)
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "up\n" {
		t.Fatal(line)
	}
	return cmd
}
