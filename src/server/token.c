/* token.c - what those need who want to ask: the bearer token, read from DATA/http-token or made
 * and kept there, and the address, in DATA/http-address while it is listened on. */
#include "server/server_int.h"

#include <stdio.h>

static enum status token_check(const char *path, struct str text, char *out, struct error *err)
{
    bool good = text.length >= 16 && text.length < TOKEN_BYTES_MAX;
    for (size_t i = 0; good && i < text.length; i++)
        good = text.data[i] > ' ' && text.data[i] < 0x7F && !strchr("&?#%+\"'<>\\", text.data[i]);
    if (!good) {
        error_set(err, ERR_CORRUPT, "%s holds no token: 16 to %d letters and digits", path,
                  TOKEN_BYTES_MAX - 1);
        error_hint(err, "take the file away: a new token is made");
        return ERR_CORRUPT;
    }
    memcpy(out, text.data, text.length);
    out[text.length] = 0;
    return OK;
}

static enum status token_make(struct io *io, const char *path, char *out, struct error *err)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz234567"; /* 32: five bits each */
    unsigned char random[TOKEN_TEXT_BYTES];
    struct io_file *file;
    io_random(io, random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        out[i] = LETTERS[random[i] % 32];
    out[sizeof(random)] = 0;
    TRY(io_open(io, path, IO_WRITE | IO_CREATE | IO_EXCLUSIVE | IO_PRIVATE, &file, err));
    enum status status = io_pwrite(io, file, out, sizeof(random), 0, err);
    if (status == OK)
        status = io_sync(io, file, err);
    io_close(io, file);
    return status;
}

enum status token_load(struct io *io, const char *directory, char *out, struct error *err)
{
    char path[4096];
    struct buf text;
    struct error missing = {0};
    snprintf(path, sizeof(path), "%s/http-token", directory);
    buf_init(&text, 4096);
    enum status status = io_read_file(io, path, &text, &missing);
    if (status == ERR_NOT_FOUND)
        status = token_make(io, path, out, err);
    else if (status != OK)
        status = error_set(err, status, "%s", missing.text);
    else
        status = token_check(path, str_trim(str_of(buf_text(&text))), out, err);
    buf_fini(&text);
    return status;
}

static void address_path(const char *directory, char *path, size_t size)
{
    snprintf(path, size, "%s/http-address", directory);
}

enum status address_keep(struct io *io, const char *directory, const char *address,
                         struct error *err)
{
    char path[4096], line[304];
    address_path(directory, path, sizeof(path));
    int length = snprintf(line, sizeof(line), "%s\n", address);
    return io_publish(io, path, line, (size_t)length, err);
}

void address_forget(struct io *io, const char *directory)
{
    char path[4096];
    struct error ignored = {0};
    address_path(directory, path, sizeof(path));
    enum status status = io->ops->unlink(io, path, &ignored);
    (void)status; /* a stale one leads to nobody, which those who ask are told */
}
