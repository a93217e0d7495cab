/* clock.h - times for the benchmarks: wall, this process's CPU, another process's CPU. */
#ifndef LEAT_BENCH_CLOCK_H
#define LEAT_BENCH_CLOCK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static inline double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* User and system time of all threads of this process. */
static inline double own_cpu_s(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* User and system time of all threads of a process, from /proc. */
static inline void cpu_of(pid_t pid, double *out_user_s, double *out_system_s)
{
    char path[64], text[1024] = "";
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(text, sizeof(text), file))
        exit(1);
    fclose(file);
    sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
           &kernel);
    *out_user_s = (double)user / (double)sysconf(_SC_CLK_TCK);
    *out_system_s = (double)kernel / (double)sysconf(_SC_CLK_TCK);
}

#endif
