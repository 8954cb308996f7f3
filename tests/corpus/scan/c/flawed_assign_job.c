// flawed: assign-after-exit
// why: the child may have ended before it is assigned, which fails with access denied
#include <assert.h>
#include <windows.h>

void test_job(void) {
    STARTUPINFOA si = {sizeof si};
    PROCESS_INFORMATION pi;
    HANDLE job = CreateJobObjectA(NULL, NULL);
    char command[] = "cmd.exe /c exit 3";
    assert(CreateProcessA(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &si, &pi));
    assert(AssignProcessToJobObject(job, pi.hProcess));
    WaitForSingleObject(pi.hProcess, INFINITE);
}
