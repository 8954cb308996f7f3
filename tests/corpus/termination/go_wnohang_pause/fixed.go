// Go: SIGTERM to a child, wait for it, for at most 5 s.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func fail(message string) {
	fmt.Fprintln(os.Stderr, message)
	os.Exit(1)
}

func main() {
	child := exec.Command("sleep", "30")
	if err := child.Start(); err != nil {
		panic(err)
	}
	pid := child.Process.Pid
	if err := child.Process.Signal(syscall.SIGTERM); err != nil {
		panic(err)
	}
	done := make(chan error, 1)
	go func() { done <- child.Wait() }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		fail(fmt.Sprintf("process %d (sleep 30) has not ended after 5 s", pid))
	}
}
