// correct
// why: no branch fails because the process lives: it is joined then
package rootless

import "golang.org/x/sys/unix"

func joinPaused(pids []int) error {
	var lastErr error
	for _, pid := range pids {
		if err := begin(pid); err != nil {
			lastErr = err
			continue
		}
		unix.Kill(pid, unix.SIGTERM)
		if pid > 0 && unix.Kill(pid, 0) == nil {
			err := join(pid)
			if err == nil {
				return nil
			}
			lastErr = err
		}
	}
	return lastErr
}
