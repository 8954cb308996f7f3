// correct
// why: a blocking waitpid
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    pid_t child = fork();
    if (child == 0) {
        for (;;)
            pause();
    }
    kill(child, SIGTERM);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    assert(WIFSIGNALED(status));
    assert(kill(child, 0) == -1 && errno == ESRCH);
    return 0;
}
