// correct
// why: Kill waits in what it defers
package client

import (
	"os/exec"
	"sync"
	"testing"
)

type Client struct {
	process *exec.Cmd
	waiting sync.WaitGroup
}

func (c *Client) Kill() {
	process := c.process
	if process == nil {
		return
	}
	defer func() {
		c.waiting.Wait()
		c.process = nil
	}()
	process.Process.Kill()
}

func TestKillEndsTheProcess(t *testing.T) {
	process := exec.Command("worker")
	c := NewClient(&Config{Cmd: process})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	c.Kill()
	if !c.Exited() {
		t.Fatal("should say that it has exited")
	}
}
