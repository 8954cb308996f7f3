// correct
// why: waitpid(WNOHANG) is repeated and reaps the child
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int test_child_dies(void) {
    int tries = 0;
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (++tries > 500) {
            fprintf(stderr, "child still alive\n");
            return -1;
        }
        usleep(10000);
    }
    return 0;
}
