// correct
// why: the signal goes to the whole group, the program that go run started is in it
package e2e

import (
	"os/exec"
	"syscall"
	"testing"
)

func TestAnswersAfterStart(t *testing.T) {
	cmd := exec.Command("go", "run", "./cmd/echoserver", "-listen", "127.0.0.1:7411")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	waitForListen(t, "127.0.0.1:7411")
	ask(t, "127.0.0.1:7411")
}
