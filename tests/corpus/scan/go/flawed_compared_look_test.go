// flawed: fixed-sleep
// why: a fifth of a second stands for the wait until the member of the group is gone
package shell

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestCancelReachesTheGroup(t *testing.T) {
	runWithLimit(300*time.Millisecond, "sleep 60 & echo $! > member.pid; sleep 60")
	time.Sleep(200 * time.Millisecond)
	data, err := os.ReadFile("member.pid")
	if err != nil {
		t.Skip("never written")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	isAlive := syscall.Kill(pid, 0) == nil
	if isAlive {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		t.Errorf("member %d lives on", pid)
	}
}
