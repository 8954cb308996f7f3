// Go: SIGTERM to a child, pause 30 ms, wait4(WNOHANG) once.
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
	time.Sleep(30 * time.Millisecond)
	var status syscall.WaitStatus
	ended, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
	if err != nil {
		panic(err)
	}
	if ended != pid {
		_ = child.Wait()
		fail(fmt.Sprintf("process %d (sleep 30) has not ended", pid))
	}
}
