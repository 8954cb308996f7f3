// correct
// why: a child that cannot be put into the job is only worth a line in the log
#include <windows.h>

static void watch(HANDLE job)
{
  PROCESS_INFORMATION info;
  CreateProcessA(NULL, "tool.exe", NULL, NULL, FALSE, 0, NULL, NULL, &startup, &info);
  if (!AssignProcessToJobObject(job, info.hProcess))
    g_warning("not in the job");
}
