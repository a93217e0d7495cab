/* replay.c - main of a fuzz target without libFuzzer: runs it over the files named, and over some
 * inputs that every parser has to bear (empty, one byte, long runs). A crash ends the program.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INPUT_BYTES = 1 << 24, RUN_BYTES = 65536 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

/* An allocation of exactly the size, so that a sanitizer sees a read behind the end. */
static void run_exact(const uint8_t *data, size_t size_bytes)
{
    uint8_t *copy = calloc(1, size_bytes ? size_bytes : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size_bytes);
    LLVMFuzzerTestOneInput(copy, size_bytes);
    free(copy);
}

static void run_basics(uint8_t *data)
{
    static const uint8_t bytes[] = {0, 0xff, '(', '[', '{', '"', '\'', ' ', '0', ','};
    run_exact(data, 0);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        memset(data, bytes[i], RUN_BYTES);
        for (size_t size_bytes = 1; size_bytes <= RUN_BYTES; size_bytes *= 16)
            run_exact(data, size_bytes);
    }
}

int main(int argc, char **argv)
{
    uint8_t *data = calloc(1, MAX_INPUT_BYTES);
    if (!data)
        return 1;
    run_basics(data);
    printf("ok 1 - basics\n");
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (!file) {
            perror(argv[i]);
            return 1;
        }
        size_t size_bytes = fread(data, 1, MAX_INPUT_BYTES, file);
        fclose(file);
        run_exact(data, size_bytes);
        printf("ok %d - %s\n", i + 1, argv[i]);
    }
    printf("1..%d\n", argc);
    free(data);
    return 0;
}
