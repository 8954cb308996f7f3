// Package abort ends a command's process group, and looks whether its grandchild is gone.
package abort

import (
	"bufio"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	script   = "sleep 30 & echo $!; wait"
	deadline = 10 * time.Second // many times what init takes to reap an orphan
)

// abort starts the script in a process group, ends the group, waits for its leader, and gives the grandchild's pid.
func abort(t *testing.T) int {
	t.Helper()
	command := exec.Command("bash", "-c", script)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	grandchild, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(-command.Process.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	return grandchild
}

// isAlive says whether a process has that pid; true of a zombie too.
func isAlive(pid int) bool {
	return syscall.Kill(pid, 0) == nil
}

// Flawed: the leader has ended, but nobody has waited for its child.
func TestFlawed(t *testing.T) {
	grandchild := abort(t)
	if isAlive(grandchild) {
		t.Fatalf("pid %d is alive", grandchild)
	}
}

// Mended by hand: look until a deadline, with a pause between looks.
func TestByHand(t *testing.T) {
	grandchild := abort(t)
	end := time.Now().Add(deadline)
	for isAlive(grandchild) {
		if time.Now().After(end) {
			t.Fatalf("pid %d is alive after %s", grandchild, deadline)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Mended by flakehunter: it knows the process by pid and start time, and a zombie from a living process.
func TestByFlakehunter(t *testing.T) {
	grandchild := strconv.Itoa(abort(t))
	said, err := exec.Command("flakehunter", "wait-gone", "--deadline", "10s", "--zombies-ok", grandchild).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
}
