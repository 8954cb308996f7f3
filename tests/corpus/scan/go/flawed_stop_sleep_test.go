// flawed: fixed-sleep
// why: the manager's Stop, 200 ms, and a look into /proc
package manager

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestManagerStop(t *testing.T) {
	m := New(t.TempDir())
	if err := m.Start(); err != nil {
		t.Fatalf("start: %v", err)
	}
	pid := m.Pid()
	m.Stop()
	time.Sleep(200 * time.Millisecond)
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); !os.IsNotExist(err) {
		t.Errorf("process %d still exists", pid)
	}
}
