<?php
// correct
// why: proc_close() waits for the end
use PHPUnit\Framework\TestCase;

final class RunnerTest extends TestCase
{
    public function testTerminate(): void
    {
        $process = proc_open(['sleep', '30'], [], $pipes);
        $pid = proc_get_status($process)['pid'];
        proc_terminate($process);
        proc_close($process);
        $this->assertFalse(posix_kill($pid, 0));
    }
}
