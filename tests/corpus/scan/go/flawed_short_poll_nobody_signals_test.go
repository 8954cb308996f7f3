// flawed: deadline-too-short
// why: a quarter of a second for the end of a process that the time limit of the command under test kills
package jobs

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func assertJobEnded(t *testing.T, pidFile string) {
	t.Helper()
	content, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	job, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(250 * time.Millisecond)
	for syscall.Kill(job, 0) == nil && time.Now().Before(until) {
		time.Sleep(5 * time.Millisecond)
	}
	if err := syscall.Kill(job, 0); err == nil {
		t.Fatalf("job %d outlived its time limit", job)
	}
}
