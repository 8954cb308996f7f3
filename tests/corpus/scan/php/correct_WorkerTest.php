<?php
// correct
// why: pcntl_waitpid blocks until the worker has ended

use PHPUnit\Framework\TestCase;

final class WorkerOkTest extends TestCase
{
    public function testWorkerEnds(): void
    {
        $pid = pcntl_fork();
        if ($pid === 0) {
            sleep(60);
            exit(0);
        }
        posix_kill($pid, SIGTERM);
        pcntl_waitpid($pid, $status);
        $this->assertTrue(pcntl_wifsignaled($status));
        $this->assertFalse(posix_kill($pid, 0));
    }
}
