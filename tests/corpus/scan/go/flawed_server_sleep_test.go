// flawed: fixed-sleep
// why: a pause before the first request
package server

import (
	"net/http"
	"os/exec"
	"testing"
	"time"
)

func TestServer(t *testing.T) {
	cmd := exec.Command("./server", "-addr", "127.0.0.1:18099")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	time.Sleep(500 * time.Millisecond)
	resp, err := http.Get("http://127.0.0.1:18099/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
