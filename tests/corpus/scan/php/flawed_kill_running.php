<?php
// flawed: check-before-exit
// why: the process is looked for right after the command that kills it
function stop(int $pid): void
{
    exec(sprintf('taskkill /F /T /PID %d 2>&1', $pid), $output, $exitCode);
    if (isRunning($pid)) {
        throw new RuntimeException('could not kill it: '.implode(' ', $output));
    }
}
