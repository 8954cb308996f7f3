// flawed: assign-after-exit
// why: a function of the project's writes the pid to cgroup.procs, and what has ended by then fails it
package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

func start(group string, arguments []string) (*exec.Cmd, error) {
	cmd := exec.Command(arguments[0], arguments[1:]...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := writeControl(filepath.Join(group, "cgroup.procs"), strconv.Itoa(cmd.Process.Pid)); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	return cmd, nil
}

func writeControl(path, value string) error {
	return os.WriteFile(path, []byte(value), 0o600)
}
