// flawed: resource-still-held
// why: the killed server's address is listened on at once
package server

import (
	"net"
	"os/exec"
	"testing"
	"time"
)

func TestRestart(t *testing.T) {
	addr := "127.0.0.1:39321"
	cmd := exec.Command("./server", "-listen", addr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitListening(t, addr)
	cmd.Process.Kill()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	l.Close()
}

func waitListening(t *testing.T, addr string) {
	for i := 0; i < 100; i++ {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("server did not listen")
}
