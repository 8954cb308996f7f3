<?php
// correct
// why: pcntl_wait waits for any child, what it is given is the place of the status
class Pool
{
    public function stop(): void
    {
        foreach ($this->children as $pid => $details) {
            posix_kill($pid, SIGTERM);
            pcntl_wait($status);
        }
        unlink($this->pidFile);
    }
}
