// flawed: zombie-counted-alive
// why: nobody reaps the child, so kill(pid, 0) succeeds for its zombie for ever
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int test_child_dies(void) {
    int tries = 0;
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    kill(pid, SIGKILL);
    while (kill(pid, 0) == 0) {
        if (++tries > 500) {
            fprintf(stderr, "child still alive\n");
            return -1;
        }
        usleep(10000);
    }
    return 0;
}
