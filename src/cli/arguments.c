/* arguments.c - the options of a command: --name value, --name=value, flags. An option whose value
 * may be left out takes the next word only if that is an address, HOST:PORT. */
#include "cli/cli.h"

static enum status unknown_option(const struct arguments *arguments, const char *word,
                                  struct error *err)
{
    const char *names[64];
    size_t count = 0;
    while (arguments->defs[count].name && count < 64) {
        names[count] = arguments->defs[count].name;
        count++;
    }
    enum status status = error_set(err, ERR_USAGE, "there is no option '%s'", word);
    const char *nearest = str_nearest(str_of(word), names, count);
    if (nearest)
        error_hint(err, "did you mean '%s'?", nearest);
    return status;
}

static const struct argument_def *find(const struct arguments *arguments, struct str name)
{
    for (const struct argument_def *def = arguments->defs; def->name; def++)
        if (str_eq(name, str_of(def->name)))
            return def;
    return NULL;
}

static bool is_address(const char *word)
{
    const char *colon = strrchr(word, ':');
    return colon && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

enum status arguments_next(struct arguments *arguments, struct argument *out, struct error *err)
{
    *out = (struct argument){0};
    if (arguments->at >= arguments->count)
        return ERR_END;
    const char *word = arguments->words[arguments->at++];
    if (word[0] != '-' || !word[1]) {
        out->value = word;
        return OK;
    }
    const char *equals = strchr(word, '=');
    struct str name = {word, equals ? (size_t)(equals - word) : strlen(word)};
    out->def = find(arguments, name);
    if (!out->def)
        return unknown_option(arguments, word, err);
    if (equals) {
        if (out->def->kind == ARGUMENT_FLAG)
            return error_set(err, ERR_USAGE, "the option %s takes no value", out->def->name);
        out->value = equals + 1;
        return OK;
    }
    if (out->def->kind == ARGUMENT_OPTIONAL_VALUE && arguments->at < arguments->count &&
        is_address(arguments->words[arguments->at])) {
        out->value = arguments->words[arguments->at++];
    } else if (out->def->kind == ARGUMENT_VALUE) {
        if (arguments->at >= arguments->count)
            return error_set(err, ERR_USAGE, "the option %s needs a value: %s", out->def->name,
                             out->def->value);
        out->value = arguments->words[arguments->at++];
    }
    return OK;
}

int fail_usage(const struct error *err)
{
    fprintf(stderr, "leat: %s\n", err->text);
    if (err->hint[0])
        fprintf(stderr, "      %s\n", err->hint);
    return EXIT_BAD_USAGE;
}
