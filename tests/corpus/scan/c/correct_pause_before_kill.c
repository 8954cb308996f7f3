// correct
// why: SIGKILL ends the child wherever it is; the pause only lets it print
int main(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            count();
    }
    usleep(200000);
    kill(pid, SIGKILL);
    return waitpid(pid, NULL, 0) != pid;
}
