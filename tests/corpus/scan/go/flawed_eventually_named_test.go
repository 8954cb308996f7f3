// flawed: deadline-too-short
// why: what is polled has a name, and the poll gives up after a second
package stop

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStop(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	exited := watch(t, cmd)
	require.NoError(t, terminateProcess(cmd.Process))
	require.Eventually(t, exited, time.Second, 10*time.Millisecond, "still there")
}
