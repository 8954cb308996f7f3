<?php
// flawed: fixed-sleep
// why: 100 ms stand for the wait
it('ends its children', function () {
    $pid = pcntl_fork();
    if ($pid === 0) {
        sleep(100);
        exit(0);
    }
    posix_kill($pid, SIGKILL);
    usleep(100000);
    expect(pcntl_waitpid($pid, $status, WNOHANG))->toBe($pid);
});
