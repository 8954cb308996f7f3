<?php
// correct
// why: the process is only looked for where the command that kills it has failed
function stop(int $pid): void
{
    exec(sprintf('taskkill /F /T /PID %d 2>&1', $pid), $output, $exitCode);
    if ($exitCode && isRunning($pid)) {
        throw new RuntimeException('could not kill it: '.implode(' ', $output));
    }
}
