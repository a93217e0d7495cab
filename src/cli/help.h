/* help.h - what help shows, as plain text (help.c) and as pages of the documentation
 * (help_pages.c): all of it from the tables that the code runs on. */
#ifndef LEAT_CLI_HELP_H
#define LEAT_CLI_HELP_H

#include "cli/cli.h"
#include "sql/reference.h"

struct command_help {
    const char *name, *use, *help;
    const struct argument_def *arguments; /* NULL: none */
};
extern const struct command_help COMMAND_HELP[]; /* ends with a NULL name */

/* An argument as one writes it: "--broker[=HOST:PORT]". */
void help_argument(struct buf *out, const struct argument_def *argument);
/* What values an option takes: "true | false", "a size ('64 kb')", ... */
void help_values(struct buf *out, const struct option_def *option);

/* Print the page of this name; ERR_NAME with the names there are. */
enum status help_page(const char *name, struct error *err) STATUS_CHECKED;

#endif
