// flawed: signal-before-ready
// why: the parent signals before the child can have called sigaction()
#include <assert.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_term(int sig) {
    (void)sig;
    _exit(42);
}

int main(void) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        struct sigaction action = {.sa_handler = on_term};
        sigaction(SIGTERM, &action, NULL);
        for (;;)
            pause();
    }
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    assert(WEXITSTATUS(status) == 42);
    return 0;
}
