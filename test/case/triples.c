/* triples.c - scalar triples, "expression => value :: TYPE" a line; see case.h and test/README.md.
 */
#include "test/case/case.h"
#include "test/case/case_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char error_mark[] = "error:";

static bool parse_triple(struct case_triple *triple, struct case_span line, const char **problem)
{
    if (*line.start == '@') {
        struct case_span text = {line.start + 1, line.end};
        triple->directive = true;
        triple->expression = case_copy(text);
        bool known = case_starts(text, "set ") || case_starts(text, "columns ");
        *problem = "unknown directive; there are @set and @columns";
        return known;
    }
    const char *arrow = case_find(line, "=>", true);
    if (!arrow) {
        *problem = "no '=>'";
        return false;
    }
    struct case_span expression = case_trim((struct case_span){line.start, arrow});
    struct case_span result = case_trim((struct case_span){arrow + 2, line.end});
    triple->expression = case_copy(expression);
    if (expression.start == expression.end || result.start == result.end) {
        *problem = "nothing on one side of '=>'; an empty string is ''";
        return false;
    }
    if (case_starts(result, error_mark)) {
        struct case_span text = {result.start + strlen(error_mark), result.end};
        text = case_trim(text);
        triple->has_error = true;
        triple->value.text = case_copy(text);
        triple->value.size_bytes = (size_t)(text.end - text.start);
        return true;
    }
    const char *type = case_find(result, "::", true);
    if (type) {
        struct case_span name = case_trim((struct case_span){type + 2, result.end});
        if (name.start == name.end) {
            *problem = "no type after '::'";
            return false;
        }
        triple->type = case_copy(name);
        result.end = type;
    }
    return case_value_parse(&triple->value, result, problem);
}

bool case_triples_parse(struct case_triples *triples, const char *text, size_t size_bytes)
{
    memset(triples, 0, sizeof(*triples));
    struct case_span rest = {text, text + size_bytes}, line;
    for (int number = 1; case_next_line(&rest, &line); number++) {
        const char *problem = NULL;
        line = case_trim(line);
        if (line.start == line.end || *line.start == '#')
            continue;
        struct case_triple *triple =
            case_grow((void **)&triples->triples, &triples->triple_count, sizeof(*triple));
        triple->line = number;
        if (!parse_triple(triple, line, &problem)) {
            snprintf(triples->error, sizeof(triples->error), "line %d: %s: %.*s", number, problem,
                     (int)(line.end - line.start > 80 ? 80 : line.end - line.start), line.start);
            return false;
        }
    }
    return true;
}

bool case_triples_load(struct case_triples *triples, const char *path)
{
    size_t size_bytes;
    memset(triples, 0, sizeof(*triples));
    char *text = case_read_file(path, &size_bytes, triples->error);
    bool good = text && case_triples_parse(triples, text, size_bytes);
    free(text);
    return good;
}

void case_triples_fini(struct case_triples *triples)
{
    for (int i = 0; i < triples->triple_count; i++) {
        free(triples->triples[i].expression);
        free(triples->triples[i].value.text);
        free(triples->triples[i].type);
    }
    free(triples->triples);
    triples->triples = NULL;
    triples->triple_count = 0;
}
