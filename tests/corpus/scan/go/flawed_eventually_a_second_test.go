// flawed: deadline-too-short
// why: members of a group that a time limit killed have one second to be gone, and the poll fails when it is over
package hooks

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHookIsStopped(t *testing.T) {
	require.Error(t, runHook("sleep 60 & sleep 60", 100*time.Millisecond))

	data, err := os.ReadFile("pids")
	require.NoError(t, err)
	for _, field := range strings.Fields(string(data)) {
		pid := number(t, field)
		require.Eventually(t, func() bool {
			return syscall.Kill(pid, 0) != nil
		}, time.Second, 10*time.Millisecond, "process %d is left", pid)
	}
}
