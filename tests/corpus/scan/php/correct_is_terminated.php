<?php
// correct
// why: it has not terminated right after its start, and waits before it has
use PHPUnit\Framework\TestCase;
use Symfony\Component\Process\Process;

class StatusTest extends TestCase
{
    public function testStatus(): void
    {
        $process = new Process(['sleep', '1']);
        $process->start();
        $this->assertFalse($process->isTerminated());
        $process->wait();
        $this->assertTrue($process->isTerminated());
    }
}
