// correct
// why: Kill is a method of the client, which waits for the end of its process
package client

import (
	"os/exec"
	"testing"
)

type Client struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func (c *Client) Kill() {
	c.cmd.Process.Kill()
	<-c.done
}

func (c *Client) Exited() bool { return c.cmd.ProcessState != nil }

func TestKillEndsTheProcess(t *testing.T) {
	process := exec.Command("worker")
	c := NewClient(&Config{Cmd: process})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	c.Kill()
	if !c.Exited() {
		t.Fatal("still runs")
	}
}
