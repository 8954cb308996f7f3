// correct
// why: the child writes a byte when its handler is set, and the parent reads it first
#include <assert.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_term(int sig) {
    (void)sig;
    _exit(42);
}

int main(void) {
    int status, ready[2];
    char byte;
    assert(pipe(ready) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGTERM, on_term);
        write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    assert(read(ready[0], &byte, 1) == 1);
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    assert(WEXITSTATUS(status) == 42);
    return 0;
}
