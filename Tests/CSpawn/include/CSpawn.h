#ifndef CSPAWN_H
#define CSPAWN_H
#include <sys/types.h>

/// Starts `path` with exactly three open files: `input` as its standard input, and the files named
/// `output` and `errors`, appended to. `directory` may be null. Returns 0, or the error number.
int shelfcast_spawn(pid_t *child, const char *path, char *const arguments[], char *const environment[],
                    int input, const char *output, const char *errors, const char *directory);

/// A pipe that no child inherits. Returns 0, or the error number.
int shelfcast_pipe(int ends[2]);

#endif
