#define _GNU_SOURCE
#include "CSpawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

int shelfcast_spawn(pid_t *child, const char *path, char *const arguments[], char *const environment[],
                    int input, const char *output, const char *errors, const char *directory) {
    posix_spawn_file_actions_t actions;
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure != 0) return failure;
    failure = posix_spawn_file_actions_adddup2(&actions, input, 0);
    if (failure == 0)
        failure = posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_APPEND, 0);
    if (failure == 0)
        failure = posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_APPEND, 0);
    if (failure == 0 && directory != NULL)
        failure = posix_spawn_file_actions_addchdir_np(&actions, directory);
    if (failure == 0) failure = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    // The threads that tests run on block every signal, and a child would inherit that.
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    if (failure == 0) failure = posix_spawn(child, path, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

int shelfcast_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno; }
