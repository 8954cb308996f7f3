/* the child only executes the server */
// flawed: fixed-sleep
// why: 200 ms stand for the server listening
int main(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("./server", "server", "7000", NULL);
        _exit(127);
    }
    usleep(200000);
    int fd = dial("127.0.0.1", 7000);
    assert(fd >= 0);
    kill(pid, SIGTERM);
    return waitpid(pid, NULL, 0) != pid;
}
