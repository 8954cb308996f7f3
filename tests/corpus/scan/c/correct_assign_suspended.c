// correct
// why: the child is suspended until it is in the job
#include <assert.h>
#include <windows.h>

void test_job(void) {
    STARTUPINFOA si = {sizeof si};
    PROCESS_INFORMATION pi;
    HANDLE job = CreateJobObjectA(NULL, NULL);
    char command[] = "cmd.exe /c exit 3";
    assert(CreateProcessA(NULL, command, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL, &si, &pi));
    assert(AssignProcessToJobObject(job, pi.hProcess));
    ResumeThread(pi.hThread);
    WaitForSingleObject(pi.hProcess, INFINITE);
}
