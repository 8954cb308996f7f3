// flawed: resource-still-held
// why: the address is listened on before the killed process has closed it
package runner

import (
	"net"
	"os/exec"
	"testing"
)

func TestPortIsFreed(t *testing.T) {
	addr := "127.0.0.1:18080"
	cmd := exec.Command("./server", "-listen", addr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitForListen(t, addr)
	_ = cmd.Process.Kill()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
