// grammar.y - the grammar of the dialect (Lemon); actions only build the AST of ast.h.
//
// Words that are no reserved names fall back to ID wherever the grammar does not ask for them. What
// Flink has and leat has not built is accepted up to its first word and answered by
// parse_unsupported, so that no user gets a bare syntax error for it. NOT before BETWEEN, IN, LIKE
// and SIMILAR arrives as NOT2, the IN of POSITION(x IN y) as POSITION_IN (parser.c).
//
// Beware: in a state where ID can be shifted, a word that falls back to ID is taken as one unless the
// grammar shifts that very word there; a default reduction before it does not count. So an empty
// nonterminal must not stand between such a word and a place where an ID can be too.
//
// Depth: the driver refuses brackets nested deeper than SQL_DEPTH_MAX and a stack deeper than
// PARSE_STACK_MAX; ast_with_args refuses deep trees.

%name sql_parser
%token_prefix TK_
%token_type {struct token}
%extra_argument {struct parse *parse}
%stack_size 0

%include {
#include "sql/parser.h"

#include <stdio.h>
#include "base/must.h"
#include "grammar.h"

/* The generated stack grows through the allocator that the fault tests own. */
#define malloc  mem_alloc
#define realloc mem_realloc
#define free    mem_free
#define YYNOERRORRECOVERY 1
#ifndef NDEBUG
#define NDEBUG 1 /* no trace code */
#endif

struct create_flags {
    bool replace, temporary;
};
}

%syntax_error {
    const char *expected[YYNTOKEN];
    uint32_t expected_count = 0;
    int from = yy_shift_ofst[yypParser->yytos->stateno];
    for (int code = 1; code < (int)YYNTOKEN; code++) {
        int at = from + code;
        if (at >= 0 && at < (int)(sizeof(yy_lookahead) / sizeof(yy_lookahead[0])) &&
            yy_lookahead[at] == code && at < YY_ACTTAB_COUNT) {
            const char *word = keyword_text(code);
            if (word)
                expected[expected_count++] = word;
        }
    }
    parse_syntax_error(parse, &TOKEN, expected, expected_count);
}
%stack_overflow {
    parse_fail(parse, ERR_MEMORY, parse->token.pos, "there is no memory for the parser");
}
%code {
size_t sql_parser_stack_depth(const void *parser)
{
    const yyParser *p = parser;
    return (size_t)(p->yytos - p->yystack);
}
size_t sql_parser_size(void)
{
    return sizeof(yyParser);
}
}

%left OR.
%left AND.
%right NOT.
%left IS.
%left EQ NE LT LE GT GE.
%left BETWEEN IN LIKE SIMILAR NOT2.
%right ESCAPE.
%left PLUS MINUS.
%left STAR SLASH PERCENT CONCAT.
%right UNARY.
%nonassoc NAME_END.
%nonassoc TO.
%left DOT LBRACKET.

%fallback ID
    ASC BEGIN COMMENT DESC DESCRIBE DESCRIPTOR ENFORCED EXPLAIN EXTENDED FILTER FIRST FUNCTIONS
    IF KEY LAST LOCAL METADATA NEXT NULLS ONLY OVERWRITE PARTITIONED PLACING PLAN REPLACE RESET ROWS
    SETS SHOW STATEMENT SYMMETRIC ASYMMETRIC SYSTEM_TIME TABLES TEMPORARY VIEW VIEWS VIRTUAL
    WATERMARK WITHIN WITHOUT ZONE BOTH LEADING TRAILING CHECK EXECUTE DISTRIBUTED 
    PRECISION VARYING JSON.

input ::= GOAL_STATEMENT statement.
input ::= GOAL_EXPRESSION expr(X). { parse->expr = X; }
input ::= GOAL_QUERY query(X). { parse->query = X; }
input ::= GOAL_TYPE type(X). { parse->type = X; }

// ---- names

%type name {struct ast_name *}
name(A) ::= ID(X). [NAME_END] { A = ast_name(parse, &X); }
name(A) ::= name(B) DOT ID(X). { A = ast_name_add(parse, B, &X); }

%type id {struct ast_name *}
id(A) ::= ID(X). { A = ast_name(parse, &X); }

%type ids {struct ast_names}
ids(A) ::= id(X). { A = ast_names_add((struct ast_names){0}, X); }
ids(A) ::= ids(B) COMMA id(X). { A = ast_names_add(B, X); }

%type ids_opt {struct ast_names}
ids_opt(A) ::= . { A = (struct ast_names){0}; }
ids_opt(A) ::= LP ids(B) RP. { A = B; }

// ---- statements

%type create_flags {struct create_flags}
create_flags(A) ::= . { A = (struct create_flags){0}; }
create_flags(A) ::= create_flags(B) OR REPLACE. { A = B; A.replace = true; }
create_flags(A) ::= create_flags(B) TEMPORARY. { A = B; A.temporary = true; }

%type if_not_exists {bool}
if_not_exists(A) ::= . { A = false; }
if_not_exists(A) ::= IF NOT EXISTS. { A = true; }
%type if_exists {bool}
if_exists(A) ::= . { A = false; }
if_exists(A) ::= IF EXISTS. { A = true; }

statement ::= create_table_head table_body_opt comment_opt distributed_opt partitioned_opt
              with_opt like_opt.
create_table_head ::= CREATE(C) create_flags(F) TABLE if_not_exists(E) name(N). {
    struct ast_statement *statement = ast_statement(parse, AST_CREATE_TABLE, C.pos);
    statement->replace = F.replace;
    statement->temporary = F.temporary;
    statement->if_not_exists = E;
    statement->name = N;
}
table_body_opt ::= .
table_body_opt ::= LP table_elements RP.
comment_opt ::= text_comment(C). { parse->statement->comment = C; }
distributed_opt ::= .
distributed_opt ::= DISTRIBUTED(X). { parse_unsupported(parse, X.pos, "DISTRIBUTED BY"); }
partitioned_opt ::= .
partitioned_opt ::= PARTITIONED BY LP ids(L) RP. { parse->statement->partition = L; }
with_opt ::= .
with_opt ::= WITH(W) LP options(L) RP(E). {
    parse->statement->options = L;
    parse->statement->options.pos = pos_join(W.pos, E.pos);
}
like_opt ::= .
like_opt ::= LIKE name(N). { parse->statement->like_table = N; }
like_opt ::= LIKE name LP(X). { parse_unsupported(parse, X.pos, "options of the LIKE clause"); }
like_opt ::= AS(X). { parse_unsupported(parse, X.pos, "CREATE TABLE ... AS SELECT"); }

table_elements ::= table_element.
table_elements ::= table_elements COMMA table_element.
table_element ::= column(X). { ast_add_column(parse->statement, X); }
table_element ::= WATERMARK FOR name(N) AS expr(X). {
    ast_set_watermark(parse, parse->statement, N, X);
}
table_element ::= constraint_name_opt PRIMARY(X) KEY LP ids(L) RP enforcement. {
    ast_set_primary_key(parse, parse->statement, X.pos, L);
}
table_element ::= constraint_name_opt UNIQUE(X). {
    parse_unsupported(parse, X.pos, "UNIQUE constraints");
}
table_element ::= CHECK LP expr(X) RP. { ast_add_check(parse, parse->statement, NULL, X); }
table_element ::= CONSTRAINT id(N) CHECK LP expr(X) RP. {
    ast_add_check(parse, parse->statement, N, X);
}
%type constraint_name_opt {struct ast_name *}
constraint_name_opt(A) ::= . { A = NULL; }
constraint_name_opt(A) ::= CONSTRAINT id(N). { A = N; }
enforcement ::= NOT ENFORCED.
enforcement ::= ENFORCED(X). {
    parse_fail(parse, ERR_SYNTAX, X.pos, "a PRIMARY KEY can only be NOT ENFORCED, as in Flink: "
               "leat does not own the data and cannot check it");
}
enforcement ::= . [NAME_END] {
    parse_fail(parse, ERR_SYNTAX, parse->token.pos, "PRIMARY KEY needs NOT ENFORCED after it, as in "
               "Flink: leat does not own the data and cannot check it");
}

%type column {struct ast_column *}
column(A) ::= id(N) type(T) column_key(K) text_comment(C). {
    A = ast_column(parse, AST_COLUMN_PHYSICAL, N, C);
    A->type = T;
    A->primary_key = K;
}
column(A) ::= id(N) type(T) METADATA metadata_key(K) virtual_opt(V) text_comment(C). {
    A = ast_column(parse, AST_COLUMN_METADATA, N, C);
    A->type = T;
    A->key = K;
    A->is_virtual = V;
}
column(A) ::= id(N) AS expr(X) text_comment(C). {
    A = ast_column(parse, AST_COLUMN_COMPUTED, N, C);
    A->expr = X;
}
%type column_key {bool}
column_key(A) ::= . { A = false; }
column_key(A) ::= constraint_name_opt PRIMARY KEY enforcement. { A = true; }
%type metadata_key {struct str}
metadata_key(A) ::= . { A = (struct str){0}; }
metadata_key(A) ::= FROM STRING(S). { A = ast_text(parse, &S); }
%type virtual_opt {bool}
virtual_opt(A) ::= . { A = false; }
virtual_opt(A) ::= VIRTUAL. { A = true; }
%type text_comment {struct str}
text_comment(A) ::= . { A = (struct str){0}; }
text_comment(A) ::= COMMENT STRING(S). { A = ast_text(parse, &S); }

%type options {struct ast_options}
options(A) ::= option_begin(X). { A = X; }
options(A) ::= options(B) COMMA STRING(K) EQ STRING(V). {
    A = ast_options_add(parse, B, &K, &V);
}
%type option_begin {struct ast_options}
option_begin(A) ::= STRING(K) EQ STRING(V). {
    A = ast_options_add(parse, (struct ast_options){0}, &K, &V);
}

statement ::= CREATE(C) create_flags(F) VIEW if_not_exists(E) name(N) ids_opt(L) text_comment(M)
              AS query(Q). {
    struct ast_statement *statement = ast_statement(parse, AST_CREATE_VIEW, C.pos);
    statement->replace = F.replace;
    statement->temporary = F.temporary;
    statement->if_not_exists = E;
    statement->name = N;
    statement->view_columns = L;
    statement->is_view = true;
    statement->comment = M;
    statement->query = Q;
    statement->query_pos = pos_join(Q->pos, parse->previous.pos);
}
statement ::= DROP(D) temporary_opt(T) table_or_view(V) if_exists(E) name(N). {
    struct ast_statement *statement = ast_statement(parse, AST_DROP, D.pos);
    statement->temporary = T;
    statement->is_view = V;
    statement->if_exists = E;
    statement->name = N;
}
%type temporary_opt {bool}
temporary_opt(A) ::= . { A = false; }
temporary_opt(A) ::= TEMPORARY. { A = true; }
%type table_or_view {bool}
table_or_view(A) ::= TABLE. { A = false; }
table_or_view(A) ::= VIEW. { A = true; }

statement ::= SHOW(S) show_what(K) show_like(L). {
    struct ast_statement *statement = ast_statement(parse, K, S.pos);
    statement->like = L.text.data ? ast_text(parse, &L) : (struct str){0};
    statement->like_negated = L.code == TK_NOT2;
}
%type show_what {enum ast_statement_kind}
show_what(A) ::= TABLES. { A = AST_SHOW_TABLES; }
show_what(A) ::= VIEWS. { A = AST_SHOW_VIEWS; }
show_what(A) ::= FUNCTIONS. { A = AST_SHOW_FUNCTIONS; }
%type show_like {struct token}
show_like(A) ::= . { A = (struct token){0}; }
show_like(A) ::= LIKE STRING(S). { A = S; }
show_like(A) ::= NOT2 LIKE STRING(S). { A = S; A.code = TK_NOT2; }
statement ::= SHOW(S) CREATE table_or_view(V) name(N). {
    struct ast_statement *statement = ast_statement(parse, AST_SHOW_CREATE, S.pos);
    statement->is_view = V;
    statement->name = N;
}
statement ::= describe_word(D) extended_opt name(N). {
    struct ast_statement *statement = ast_statement(parse, AST_DESCRIBE, D.pos);
    statement->name = N;
}
describe_word(A) ::= DESCRIBE(X). { A = X; }
describe_word(A) ::= DESC(X). { A = X; }
extended_opt ::= .
extended_opt ::= EXTENDED.

statement ::= SET(S). { (void)ast_statement(parse, AST_SET, S.pos); }
statement ::= SET(S) STRING(K) EQ STRING(V). {
    struct ast_statement *statement = ast_statement(parse, AST_SET, S.pos);
    statement->key = ast_text(parse, &K);
    statement->value = ast_text(parse, &V);
}
statement ::= SET ID(X). {
    parse_fail(parse, ERR_SYNTAX, X.pos, "key and value of SET are written in quotes: "
               "SET 'key' = 'value'");
}
statement ::= RESET(S). { (void)ast_statement(parse, AST_RESET, S.pos); }
statement ::= RESET(S) STRING(K). {
    struct ast_statement *statement = ast_statement(parse, AST_RESET, S.pos);
    statement->key = ast_text(parse, &K);
}

statement ::= explain_head explainable.
statement ::= explain_head PLAN FOR explainable.
statement ::= explain_head explain_details explainable.
explain_head ::= EXPLAIN. { parse->explain = true; }
explain_details ::= explain_detail.
explain_details ::= explain_details COMMA explain_detail.
explain_detail ::= ID(X). { ast_explain_detail(parse, &X); }
statement ::= explainable.

explainable ::= insert(I). {
    struct ast_statement *statement = ast_statement(parse, AST_INSERT, I->pos);
    ast_add_insert(statement, I);
}
explainable ::= query(Q). {
    struct ast_statement *statement = ast_statement(parse, AST_QUERY, Q->pos);
    statement->query = Q;
}
explainable ::= EXECUTE insert(I). {
    struct ast_statement *statement = ast_statement(parse, AST_INSERT, I->pos);
    ast_add_insert(statement, I);
}
explainable ::= EXECUTE query(Q). {
    struct ast_statement *statement = ast_statement(parse, AST_QUERY, Q->pos);
    statement->query = Q;
}
explainable ::= set_head set_inserts END.
explainable ::= set_head END(X). {
    parse_fail(parse, ERR_SYNTAX, X.pos, "a STATEMENT SET needs at least one INSERT");
}
set_head ::= EXECUTE(X) STATEMENT SET BEGIN. {
    ast_statement(parse, AST_INSERT, X.pos)->is_set = true;
}
set_head ::= STATEMENT(X) SET BEGIN. {
    ast_statement(parse, AST_INSERT, X.pos)->is_set = true;
}
set_head ::= BEGIN(X) STATEMENT SET SEMI. {
    ast_statement(parse, AST_INSERT, X.pos)->is_set = true;
}
set_inserts ::= insert(I) SEMI. { ast_add_insert(parse->statement, I); }
set_inserts ::= set_inserts insert(I) SEMI. { ast_add_insert(parse->statement, I); }

%type insert {struct ast_insert *}
insert(A) ::= insert_head(I) query(Q). {
    A = I;
    A->query = Q;
}
insert(A) ::= insert_head(I) LP ids(L) RP query(Q). {
    A = I;
    A->columns = L;
    A->query = Q;
}
insert(A) ::= insert_head(I) PARTITION(X). {
    A = I;
    parse_unsupported(parse, X.pos, "INSERT INTO ... PARTITION");
}
%type insert_head {struct ast_insert *}
insert_head(A) ::= INSERT(X) into(O) name(N) hints(H). {
    A = ast_insert(parse, X.pos);
    A->overwrite = O;
    A->target = N;
    A->hints = H;
}
%type into {bool}
into(A) ::= INTO. { A = false; }
into(A) ::= OVERWRITE. { A = true; }

// ---- queries

%type query {struct ast_query *}
query(A) ::= query_body(B) order_by(O) limits(L). {
    A = B;
    A->order = O;
    A->offset = L.offset;
    A->limit = L.limit;
}
%type query_body {struct ast_query *}
query_body(A) ::= body(B). { A = ast_query(parse, B); }
query_body(A) ::= WITH(W) ctes(C) body(B). {
    A = ast_query(parse, B);
    A->ctes = C;
    A->pos = pos_join(W.pos, A->pos);
}
%type ctes {struct ast_ctes}
ctes(A) ::= id(N) ids_opt(L) AS LP query(Q) RP. {
    A = ast_ctes_add(parse, (struct ast_ctes){0}, N, L, Q);
}
ctes(A) ::= ctes(B) COMMA id(N) ids_opt(L) AS LP query(Q) RP. {
    A = ast_ctes_add(parse, B, N, L, Q);
}

%type body {struct ast_body *}
body(A) ::= term(B). { A = B; }
body(A) ::= body(B) UNION ALL term(C). { A = ast_union(parse, B, C, true); }
body(A) ::= body(B) UNION term(C). { A = ast_union(parse, B, C, false); }
body(A) ::= body(B) UNION DISTINCT term(C). { A = ast_union(parse, B, C, false); }
body(A) ::= body(B) INTERSECT(X). { A = B; parse_unsupported(parse, X.pos, "INTERSECT"); }
body(A) ::= body(B) EXCEPT(X). { A = B; parse_unsupported(parse, X.pos, "EXCEPT"); }
body(A) ::= body(B) MINUS_WORD(X). { A = B; parse_unsupported(parse, X.pos, "MINUS"); }

%type term {struct ast_body *}
term(A) ::= select(S). {
    A = ast_body(parse, AST_SELECT, S->pos);
    A->select = S;
}
term(A) ::= VALUES(V) exprs(L). {
    A = ast_body(parse, AST_VALUES, V.pos);
    A->rows = L;
}
term(A) ::= TABLE(T) name(N). {
    A = ast_body(parse, AST_SELECT, pos_join(T.pos, N->pos));
    A->select = ast_select_all(parse, N);
}
term(A) ::= LP(L) query(Q) RP(R). {
    A = ast_body(parse, AST_NESTED, pos_join(L.pos, R.pos));
    A->query = Q;
}

%type select {struct ast_select *}
select(A) ::= SELECT(S) select_hint quantifier(D) items(L) from_opt(F) where_opt(W) group_opt(G)
              having_opt(H) window_opt. {
    A = ast_select(parse, S.pos);
    A->distinct = D;
    A->items = L;
    A->from = F;
    A->where = W;
    A->grouped = G.given;
    A->group = G.list;
    A->having = H;
}
select_hint ::= .
select_hint ::= HINT_BEGIN(X). { parse_unsupported(parse, X.pos, "hints after SELECT"); }
%type quantifier {bool}
quantifier(A) ::= . { A = false; }
quantifier(A) ::= ALL. { A = false; }
quantifier(A) ::= DISTINCT. { A = true; }

%type items {struct ast_items}
items(A) ::= item(X). { A = ast_items_add((struct ast_items){0}, X); }
items(A) ::= items(B) COMMA item(X). { A = ast_items_add(B, X); }
%type item {struct ast_item *}
item(A) ::= expr(X) item_alias(N). { A = ast_item(parse, X, N); }
item(A) ::= STAR(S). { A = ast_item(parse, ast_expr(parse, AST_STAR, S.pos), NULL); }
item(A) ::= name(N) DOT STAR(S). {
    struct ast_expr *star = ast_expr(parse, AST_STAR, pos_join(N->pos, S.pos));
    star->name = N;
    A = ast_item(parse, star, NULL);
}
%type item_alias {struct ast_name *}
item_alias(A) ::= . { A = NULL; }
item_alias(A) ::= id(N). { A = N; }
item_alias(A) ::= AS id(N). { A = N; }

%type from_opt {struct ast_from *}
from_opt(A) ::= . { A = NULL; }
from_opt(A) ::= FROM table_ref(T). { A = T; }
from_opt(A) ::= FROM table_ref(T) COMMA(X). {
    A = T;
    parse_unsupported(parse, X.pos, "a join of several tables in FROM");
}
from_opt(A) ::= FROM table_ref(T) join_word. { A = T; }
join_word ::= JOIN(X). { parse_unsupported(parse, X.pos, "JOIN"); }
join_word ::= INNER(X). { parse_unsupported(parse, X.pos, "JOIN"); }
join_word ::= LEFT(X). { parse_unsupported(parse, X.pos, "LEFT JOIN"); }
join_word ::= RIGHT(X). { parse_unsupported(parse, X.pos, "RIGHT JOIN"); }
join_word ::= FULL(X). { parse_unsupported(parse, X.pos, "FULL JOIN"); }
join_word ::= CROSS(X). { parse_unsupported(parse, X.pos, "CROSS JOIN"); }
join_word ::= NATURAL(X). { parse_unsupported(parse, X.pos, "NATURAL JOIN"); }

%type table_ref {struct ast_from *}
table_ref(A) ::= table_primary(T). { A = T; }
table_ref(A) ::= table_primary(T) id(N) ids_opt(L). {
    A = T;
    A->alias = N;
    A->columns = L;
}
table_ref(A) ::= table_primary(T) AS id(N) ids_opt(L). {
    A = T;
    A->alias = N;
    A->columns = L;
}
table_ref(A) ::= table_primary(T) FOR(X). {
    A = T;
    parse_unsupported(parse, X.pos, "FOR SYSTEM_TIME AS OF");
}
table_ref(A) ::= table_primary(T) MATCH_RECOGNIZE(X). {
    A = T;
    parse_unsupported(parse, X.pos, "MATCH_RECOGNIZE");
}
table_ref(A) ::= table_primary(T) TABLESAMPLE(X). {
    A = T;
    parse_unsupported(parse, X.pos, "TABLESAMPLE");
}
%type table_primary {struct ast_from *}
table_primary(A) ::= name(N) hints(H). {
    A = ast_from(parse, AST_FROM_TABLE, N->pos);
    A->name = N;
    A->hints = H;
}
table_primary(A) ::= LP(L) query(Q) RP(R). {
    A = ast_from(parse, AST_FROM_QUERY, pos_join(L.pos, R.pos));
    A->query = Q;
}
table_primary(A) ::= TABLE LP call(C) RP. {
    A = ast_from(parse, AST_FROM_FUNCTION, C->pos);
    A->call = C;
}
table_primary(A) ::= call(C). {
    A = ast_from(parse, AST_FROM_FUNCTION, C->pos);
    A->call = C;
}
table_primary(A) ::= LATERAL(X). {
    A = ast_from(parse, AST_FROM_TABLE, X.pos);
    parse_unsupported(parse, X.pos, "LATERAL");
}
table_primary(A) ::= UNNEST(X). {
    A = ast_from(parse, AST_FROM_TABLE, X.pos);
    parse_unsupported(parse, X.pos, "UNNEST");
}

%type hints {struct ast_options}
hints(A) ::= . { A = (struct ast_options){0}; }
hints(A) ::= HINT_BEGIN ID(N) LP options(L) RP HINT_END. {
    A = L;
    if (!str_eq_nocase(N.text, STR("OPTIONS")))
        parse_unsupported(parse, N.pos, "this hint");
}

%type where_opt {struct ast_expr *}
where_opt(A) ::= . { A = NULL; }
where_opt(A) ::= WHERE expr(X). { A = X; }
%type group_opt {struct group}
group_opt(A) ::= . { A = (struct group){0}; }
group_opt(A) ::= GROUP BY group_items(L). { A = (struct group){.list = L, .given = true}; }
%type group_items {struct ast_exprs}
group_items(A) ::= group_item(X). { A = ast_exprs_add((struct ast_exprs){0}, X); }
group_items(A) ::= group_items(B) COMMA group_item(X). { A = ast_exprs_add(B, X); }
%type group_item {struct ast_expr *}
group_item(A) ::= expr(X). { A = X; }
group_item(A) ::= LP(L) RP(R). { A = ast_expr(parse, AST_ROW, pos_join(L.pos, R.pos)); }
group_item(A) ::= grouping_word(X). { A = ast_expr(parse, AST_ROW, X.pos); }
grouping_word(A) ::= GROUPING(X) SETS. { A = X; parse_unsupported(parse, X.pos, "GROUPING SETS"); }
grouping_word(A) ::= ROLLUP(X). { A = X; parse_unsupported(parse, X.pos, "ROLLUP"); }
grouping_word(A) ::= CUBE(X). { A = X; parse_unsupported(parse, X.pos, "CUBE"); }
%type having_opt {struct ast_expr *}
having_opt(A) ::= . { A = NULL; }
having_opt(A) ::= HAVING expr(X). { A = X; }
window_opt ::= .
window_opt ::= WINDOW(X). { parse_unsupported(parse, X.pos, "the WINDOW clause"); }

%type order_by {struct ast_items}
order_by(A) ::= . { A = (struct ast_items){0}; }
order_by(A) ::= ORDER BY order_keys(L). { A = L; }
%type order_keys {struct ast_items}
order_keys(A) ::= order_key(X). { A = ast_items_add((struct ast_items){0}, X); }
order_keys(A) ::= order_keys(B) COMMA order_key(X). { A = ast_items_add(B, X); }
%type order_key {struct ast_item *}
order_key(A) ::= expr(X) direction(D) nulls(N). {
    A = ast_item(parse, X, NULL);
    A->descending = D;
    A->nulls_given = N != 0;
    A->nulls_first = N > 0;
}
%type direction {bool}
direction(A) ::= . { A = false; }
direction(A) ::= ASC. { A = false; }
direction(A) ::= DESC. { A = true; }
%type nulls {int}
nulls(A) ::= . { A = 0; }
nulls(A) ::= NULLS FIRST. { A = 1; }
nulls(A) ::= NULLS LAST. { A = -1; }

%type limits {struct limits}
limits(A) ::= . { A = (struct limits){0}; }
limits(A) ::= LIMIT expr(X). { A = (struct limits){.limit = X}; }
limits(A) ::= LIMIT ALL. { A = (struct limits){0}; }
limits(A) ::= LIMIT expr(X) OFFSET expr(Y) rows_opt. {
    A = (struct limits){.limit = X, .offset = Y};
}
limits(A) ::= OFFSET expr(Y) rows_opt. { A = (struct limits){.offset = Y}; }
limits(A) ::= OFFSET expr(Y) rows_opt LIMIT expr(X). {
    A = (struct limits){.limit = X, .offset = Y};
}
limits(A) ::= OFFSET expr(Y) rows_opt fetch(X). { A = (struct limits){.limit = X, .offset = Y}; }
limits(A) ::= fetch(X). { A = (struct limits){.limit = X}; }
%type fetch {struct ast_expr *}
fetch(A) ::= FETCH first_or_next expr(X) row_word ONLY. { A = X; }
first_or_next ::= FIRST.
first_or_next ::= NEXT.
rows_opt ::= .
rows_opt ::= row_word.
row_word ::= ROW.
row_word ::= ROWS.

// ---- expressions

%type exprs {struct ast_exprs}
exprs(A) ::= expr(X). { A = ast_exprs_add((struct ast_exprs){0}, X); }
exprs(A) ::= exprs(B) COMMA expr(X). { A = ast_exprs_add(B, X); }

%type expr {struct ast_expr *}
expr(A) ::= name(N). [NAME_END] {
    A = ast_expr(parse, AST_NAME, N->pos);
    A->name = N;
}
expr(A) ::= STRING(X). { A = ast_string(parse, AST_STRING, &X, X.pos); }
expr(A) ::= PARAMETER(X). {
    A = ast_expr(parse, AST_PARAMETER, X.pos);
    A->text = (struct str){X.text.data + 1, X.text.length - 1};
}
expr(A) ::= BINARY_STRING(X). { A = ast_string(parse, AST_BINARY, &X, X.pos); }
expr(A) ::= INTEGER(X). { A = ast_number(parse, &X); }
expr(A) ::= DECIMAL(X). { A = ast_number(parse, &X); }
expr(A) ::= DOUBLE(X). { A = ast_number(parse, &X); }
expr(A) ::= TRUE(X). { A = ast_expr(parse, AST_TRUE, X.pos); }
expr(A) ::= FALSE(X). { A = ast_expr(parse, AST_FALSE, X.pos); }
expr(A) ::= UNKNOWN(X). { A = ast_expr(parse, AST_UNKNOWN, X.pos); }
expr(A) ::= NULL(X). { A = ast_expr(parse, AST_NULL, X.pos); }
expr(A) ::= DATE(D) STRING(X). {
    A = ast_string(parse, AST_DATE, &X, pos_join(D.pos, X.pos));
}
expr(A) ::= TIME(D) STRING(X). {
    A = ast_string(parse, AST_TIME, &X, pos_join(D.pos, X.pos));
}
expr(A) ::= TIMESTAMP(D) STRING(X). {
    A = ast_string(parse, AST_TIMESTAMP, &X, pos_join(D.pos, X.pos));
}
expr(A) ::= INTERVAL(I) sign(G) STRING(X) interval_unit(U). {
    A = ast_string(parse, AST_INTERVAL, &X, pos_join(I.pos, U.end));
    A->interval.negative = G;
    A->interval.from = U.from;
    A->interval.to = U.to;
    A->interval.precision = U.precision;
    A->interval.fraction = U.fraction;
}
%type sign {bool}
sign(A) ::= . { A = false; }
sign(A) ::= PLUS. { A = false; }
sign(A) ::= MINUS. { A = true; }
%type interval_unit {struct interval_unit}
interval_unit(A) ::= unit_part(U). [NAME_END] { A = U; }
interval_unit(A) ::= unit_part(U) TO unit_part(V). {
    A = U;
    A.to = V.from;
    A.end = V.end;
    if (V.precision >= 0)
        A.fraction = V.precision;
}
%type unit_part {struct interval_unit}
unit_part(A) ::= ID(X). [NAME_END] {
    A = (struct interval_unit){.from = X.text, .end = X.pos, .precision = -1, .fraction = -1};
}
unit_part(A) ::= ID(X) LP INTEGER(P) RP(E). {
    A = (struct interval_unit){.from = X.text, .end = E.pos, .fraction = -1};
    A.precision = (int32_t)ast_integer(parse, &P);
}
unit_part(A) ::= ID(X) LP INTEGER(P) COMMA INTEGER(F) RP(E). {
    A = (struct interval_unit){.from = X.text, .end = E.pos};
    A.precision = (int32_t)ast_integer(parse, &P);
    A.fraction = (int32_t)ast_integer(parse, &F);
}

expr(A) ::= LP(L) expr(X) RP(R). {
    A = X;
    A->parenthesized = true;
    A->pos = pos_join(L.pos, R.pos);
}
expr(A) ::= LP(L) expr(X) COMMA exprs(M) RP(R). {
    struct ast_exprs list = ast_exprs_prepend(X, M);
    A = ast_with_args(parse, ast_expr(parse, AST_ROW, pos_join(L.pos, R.pos)), list);
}
expr(A) ::= LP subquery(X). { A = ast_expr(parse, AST_NULL, X.pos); }
subquery(A) ::= SELECT(X). { A = X; parse_unsupported(parse, X.pos, "a sub-query as a value"); }
subquery(A) ::= WITH(X). { A = X; parse_unsupported(parse, X.pos, "a sub-query as a value"); }
subquery(A) ::= VALUES(X). { A = X; parse_unsupported(parse, X.pos, "a sub-query as a value"); }
expr(A) ::= EXISTS(X). {
    A = ast_expr(parse, AST_NULL, X.pos);
    parse_unsupported(parse, X.pos, "EXISTS");
}
expr(A) ::= ROW(W) LP exprs(L) RP(R). {
    A = ast_with_args(parse, ast_expr(parse, AST_ROW, pos_join(W.pos, R.pos)), L);
}
expr(A) ::= ARRAY(W) LBRACKET exprs_opt(L) RBRACKET(R). {
    A = ast_with_args(parse, ast_expr(parse, AST_ARRAY, pos_join(W.pos, R.pos)), L);
}
expr(A) ::= MAP(W) LBRACKET exprs_opt(L) RBRACKET(R). {
    A = ast_with_args(parse, ast_expr(parse, AST_MAP, pos_join(W.pos, R.pos)), L);
}
%type exprs_opt {struct ast_exprs}
exprs_opt(A) ::= . { A = (struct ast_exprs){0}; }
exprs_opt(A) ::= exprs(L). { A = L; }
expr(A) ::= expr(X) LBRACKET expr(Y) RBRACKET(R). {
    A = ast_with_args(parse, ast_expr(parse, AST_INDEX, pos_join(X->pos, R.pos)),
                      ast_exprs_of(X, Y, NULL));
}
expr(A) ::= expr(X) DOT id(N). {
    A = ast_with_args(parse, ast_expr(parse, AST_FIELD, pos_join(X->pos, N->pos)),
                      ast_exprs_of(X, NULL, NULL));
    A->name = N;
}

expr(A) ::= call(C). [NAME_END] { A = C; }
expr(A) ::= call(C) FILTER LP WHERE expr(X) RP(R). {
    A = C;
    A->call.filter = X;
    A->pos = pos_join(C->pos, R.pos);
}
expr(A) ::= call(C) OVER(X). { A = C; parse_unsupported(parse, X.pos, "OVER"); }
expr(A) ::= call(C) WITHIN(X). { A = C; parse_unsupported(parse, X.pos, "WITHIN GROUP"); }

%type call {struct ast_expr *}
call(A) ::= function_name(N) LP arguments(L) RP(R). {
    A = ast_with_args(parse, ast_expr(parse, AST_CALL, pos_join(N->pos, R.pos)), L.list);
    A->name = N;
    A->call.distinct = L.distinct;
    A->call.form = L.form;
}
%type function_name {struct ast_name *}
function_name(A) ::= name(N). { A = N; }
function_name(A) ::= LEFT(X). { A = ast_name(parse, &X); }
function_name(A) ::= RIGHT(X). { A = ast_name(parse, &X); }
function_name(A) ::= TRUNCATE(X). { A = ast_name(parse, &X); }
function_name(A) ::= GROUPING(X). { A = ast_name(parse, &X); }
function_name(A) ::= MAP(X). { A = ast_name(parse, &X); }

%type arguments {struct arguments}
arguments(A) ::= . { A = (struct arguments){0}; }
arguments(A) ::= STAR(S). {
    A = (struct arguments){.list = ast_exprs_of(ast_expr(parse, AST_STAR, S.pos), NULL, NULL)};
}
arguments(A) ::= argument_list(L). { A = (struct arguments){.list = L}; }
arguments(A) ::= ALL argument_list(L). { A = (struct arguments){.list = L}; }
arguments(A) ::= DISTINCT argument_list(L). {
    A = (struct arguments){.list = L, .distinct = true};
}
arguments(A) ::= expr(X) TO ID(U). {
    A = (struct arguments){.list = ast_exprs_of(X, ast_unit(parse, &U), NULL),
                           .form = AST_FORM_TO};
}
arguments(A) ::= expr(X) FROM expr(Y). {
    A = (struct arguments){.list = ast_exprs_of(X, Y, NULL), .form = AST_FORM_FROM};
}
arguments(A) ::= expr(X) FROM expr(Y) FOR expr(Z). {
    A = (struct arguments){.list = ast_exprs_of(X, Y, Z), .form = AST_FORM_FROM};
}
arguments(A) ::= expr(X) PLACING expr(Y) FROM expr(Z). {
    A = (struct arguments){.list = ast_exprs_of(X, Y, Z), .form = AST_FORM_PLACING};
}
arguments(A) ::= expr(X) PLACING expr(Y) FROM expr(Z) FOR expr(W). {
    A = (struct arguments){.list = ast_exprs_add(ast_exprs_of(X, Y, Z), W),
                           .form = AST_FORM_PLACING};
}
arguments(A) ::= trim_side(S) expr(X) FROM expr(Y). {
    A = (struct arguments){.list = ast_exprs_of(ast_unit(parse, &S), X, Y),
                           .form = AST_FORM_TRIM};
}
arguments(A) ::= trim_side(S) FROM expr(Y). {
    A = (struct arguments){.list = ast_exprs_of(ast_unit(parse, &S), Y, NULL),
                           .form = AST_FORM_TRIM};
}
arguments(A) ::= expr(X) POSITION_IN expr(Y). {
    A = (struct arguments){.list = ast_exprs_of(X, Y, NULL), .form = AST_FORM_IN};
}
trim_side(A) ::= BOTH(X). { A = X; }
trim_side(A) ::= LEADING(X). { A = X; }
trim_side(A) ::= TRAILING(X). { A = X; }
%type argument_list {struct ast_exprs}
argument_list(A) ::= argument(X). { A = ast_exprs_add((struct ast_exprs){0}, X); }
argument_list(A) ::= argument_list(B) COMMA argument(X). { A = ast_exprs_add(B, X); }
%type argument {struct ast_expr *}
argument(A) ::= expr(X). { A = X; }
argument(A) ::= table_argument(X). { A = X; }
argument(A) ::= ID(N) ARROW expr(X). { A = ast_named(parse, &N, X); }
argument(A) ::= ID(N) ARROW table_argument(X). { A = ast_named(parse, &N, X); }
%type table_argument {struct ast_expr *}
table_argument(A) ::= TABLE(T) name(N). {
    A = ast_expr(parse, AST_TABLE, pos_join(T.pos, N->pos));
    A->name = N;
}
table_argument(A) ::= TABLE(T) LP query(Q) RP(R). {
    A = ast_expr(parse, AST_TABLE, pos_join(T.pos, R.pos));
    A->query = Q;
}
table_argument(A) ::= TABLE(T) name PARTITION(X). {
    A = ast_expr(parse, AST_TABLE, T.pos);
    parse_unsupported(parse, X.pos, "PARTITION BY of a table argument");
}
table_argument(A) ::= DESCRIPTOR(D) LP ids(L) RP(R). {
    A = ast_expr(parse, AST_DESCRIPTOR, pos_join(D.pos, R.pos));
    A->columns = L;
}

expr(A) ::= CAST(C) LP expr(X) AS type(T) RP(R). {
    A = ast_cast(parse, X, T, false, pos_join(C.pos, R.pos));
}
expr(A) ::= TRY_CAST(C) LP expr(X) AS type(T) RP(R). {
    A = ast_cast(parse, X, T, true, pos_join(C.pos, R.pos));
}
expr(A) ::= CASE(C) case_operand(O) case_arms(L) case_else(E) END(R). {
    A = ast_case(parse, pos_join(C.pos, R.pos), O, L, E);
}
%type case_operand {struct ast_expr *}
case_operand(A) ::= . { A = NULL; }
case_operand(A) ::= expr(X). { A = X; }
%type case_arms {struct ast_exprs}
case_arms(A) ::= WHEN expr(X) THEN expr(Y). { A = ast_exprs_of(X, Y, NULL); }
case_arms(A) ::= case_arms(B) WHEN expr(X) THEN expr(Y). {
    A = ast_exprs_add(ast_exprs_add(B, X), Y);
}
%type case_else {struct ast_expr *}
case_else(A) ::= . { A = NULL; }
case_else(A) ::= ELSE expr(X). { A = X; }

expr(A) ::= expr(X) OR expr(Y). { A = ast_logic(parse, AST_OR, X, Y); }
expr(A) ::= expr(X) AND expr(Y). { A = ast_logic(parse, AST_AND, X, Y); }
expr(A) ::= NOT(N) expr(X). {
    A = ast_with_args(parse, ast_expr(parse, AST_NOT, pos_join(N.pos, X->pos)),
                      ast_exprs_of(X, NULL, NULL));
}
expr(A) ::= expr(X) EQ expr(Y). { A = ast_binary(parse, "=", X, Y); }
expr(A) ::= expr(X) NE expr(Y). { A = ast_binary(parse, "<>", X, Y); }
expr(A) ::= expr(X) LT expr(Y). { A = ast_binary(parse, "<", X, Y); }
expr(A) ::= expr(X) LE expr(Y). { A = ast_binary(parse, "<=", X, Y); }
expr(A) ::= expr(X) GT expr(Y). { A = ast_binary(parse, ">", X, Y); }
expr(A) ::= expr(X) GE expr(Y). { A = ast_binary(parse, ">=", X, Y); }
expr(A) ::= expr(X) PLUS expr(Y). { A = ast_binary(parse, "+", X, Y); }
expr(A) ::= expr(X) MINUS expr(Y). { A = ast_binary(parse, "-", X, Y); }
expr(A) ::= expr(X) STAR expr(Y). { A = ast_binary(parse, "*", X, Y); }
expr(A) ::= expr(X) SLASH expr(Y). { A = ast_binary(parse, "/", X, Y); }
expr(A) ::= expr(X) PERCENT expr(Y). { A = ast_binary(parse, "%", X, Y); }
expr(A) ::= expr(X) CONCAT expr(Y). { A = ast_binary(parse, "||", X, Y); }
expr(A) ::= MINUS(S) expr(X). [UNARY] { A = ast_negate(parse, &S, X); }
expr(A) ::= PLUS expr(X). [UNARY] { A = X; }

expr(A) ::= expr(X) IS is_not(N) is_what(W). {
    A = ast_with_args(parse, ast_expr(parse, AST_IS, pos_join(X->pos, parse->previous.pos)),
                      ast_exprs_of(X, NULL, NULL));
    A->negated = N;
    A->test = W;
}
%type is_not {bool}
is_not(A) ::= . { A = false; }
is_not(A) ::= NOT. { A = true; }
%type is_what {enum ast_test}
is_what(A) ::= NULL. { A = AST_TEST_NULL; }
is_what(A) ::= TRUE. { A = AST_TEST_TRUE; }
is_what(A) ::= FALSE. { A = AST_TEST_FALSE; }
is_what(A) ::= UNKNOWN. { A = AST_TEST_UNKNOWN; }
is_what(A) ::= JSON(X). { A = AST_TEST_NULL; parse_unsupported(parse, X.pos, "IS JSON"); }
expr(A) ::= expr(X) IS is_not(N) DISTINCT FROM expr(Y). [IS] {
    A = ast_binary(parse, N ? "IS NOT DISTINCT FROM" : "IS DISTINCT FROM", X, Y);
}

expr(A) ::= expr(X) BETWEEN symmetric(S) expr(Y) AND expr(Z). [BETWEEN] {
    A = ast_between(parse, X, Y, Z, false, S);
}
expr(A) ::= expr(X) NOT2 BETWEEN symmetric(S) expr(Y) AND expr(Z). [BETWEEN] {
    A = ast_between(parse, X, Y, Z, true, S);
}
%type symmetric {bool}
symmetric(A) ::= . { A = false; }
symmetric(A) ::= ASYMMETRIC. { A = false; }
symmetric(A) ::= SYMMETRIC. { A = true; }
expr(A) ::= expr(X) IN LP exprs(L) RP(R). [IN] { A = ast_in(parse, X, L, false, R.pos); }
expr(A) ::= expr(X) NOT2 IN LP exprs(L) RP(R). [IN] { A = ast_in(parse, X, L, true, R.pos); }
expr(A) ::= expr(X) IN LP in_query. [IN] { A = X; }
expr(A) ::= expr(X) NOT2 IN LP in_query. [IN] { A = X; }
in_query ::= SELECT(X). { parse_unsupported(parse, X.pos, "IN with a sub-query"); }
in_query ::= WITH(X). { parse_unsupported(parse, X.pos, "IN with a sub-query"); }
in_query ::= VALUES(X). { parse_unsupported(parse, X.pos, "IN with a sub-query"); }
expr(A) ::= expr(X) LIKE expr(Y). [LIKE] { A = ast_like(parse, "LIKE", X, Y, NULL, false); }
expr(A) ::= expr(X) NOT2 LIKE expr(Y). [LIKE] { A = ast_like(parse, "LIKE", X, Y, NULL, true); }
expr(A) ::= expr(X) LIKE expr(Y) ESCAPE expr(Z). [LIKE] {
    A = ast_like(parse, "LIKE", X, Y, Z, false);
}
expr(A) ::= expr(X) NOT2 LIKE expr(Y) ESCAPE expr(Z). [LIKE] {
    A = ast_like(parse, "LIKE", X, Y, Z, true);
}
expr(A) ::= expr(X) SIMILAR TO expr(Y). [SIMILAR] {
    A = ast_like(parse, "SIMILAR TO", X, Y, NULL, false);
}
expr(A) ::= expr(X) NOT2 SIMILAR TO expr(Y). [SIMILAR] {
    A = ast_like(parse, "SIMILAR TO", X, Y, NULL, true);
}
expr(A) ::= expr(X) SIMILAR TO expr(Y) ESCAPE expr(Z). [SIMILAR] {
    A = ast_like(parse, "SIMILAR TO", X, Y, Z, false);
}
expr(A) ::= expr(X) NOT2 SIMILAR TO expr(Y) ESCAPE expr(Z). [SIMILAR] {
    A = ast_like(parse, "SIMILAR TO", X, Y, Z, true);
}

// ---- types

%type type {struct ast_type *}
type(A) ::= type_name(T) nullability(N). { A = T; A->not_null = N; }
%type nullability {bool}
nullability(A) ::= . [NAME_END] { A = false; }
nullability(A) ::= NULL. { A = false; }
nullability(A) ::= NOT NULL. { A = true; }

%type type_name {struct ast_type *}
type_name(A) ::= simple_type(T). { A = T; }
type_name(A) ::= type_name(T) ARRAY(X). {
    A = ast_type_of(parse, &X, ast_types_add(parse, (struct ast_types){0}, NULL, T), &X);
    A->pos = pos_join(T->pos, X.pos);
}
type_name(A) ::= type_name(T) MULTISET(X). {
    A = ast_type_of(parse, &X, ast_types_add(parse, (struct ast_types){0}, NULL, T), &X);
    A->pos = pos_join(T->pos, X.pos);
}
%type simple_type {struct ast_type *}
simple_type(A) ::= ID(X) type_lengths(L). { A = ast_type(parse, &X); ast_type_lengths(A, L); }
simple_type(A) ::= ID(X) PRECISION(Y). {
    A = ast_type(parse, &X);
    A->name2 = Y.text;
    A->pos = pos_join(X.pos, Y.pos);
}
simple_type(A) ::= ID(X) VARYING(Y) type_lengths(L). {
    A = ast_type(parse, &X);
    A->name2 = Y.text;
    A->pos = pos_join(X.pos, Y.pos);
    ast_type_lengths(A, L);
}
simple_type(A) ::= DATE(X). { A = ast_type(parse, &X); }
simple_type(A) ::= TIME(X) type_lengths(L) time_zone(Z). {
    A = ast_type(parse, &X);
    ast_type_lengths(A, L);
    A->local_zone = Z == 1;
    A->with_zone = Z == 2;
}
simple_type(A) ::= TIMESTAMP(X) type_lengths(L) time_zone(Z). {
    A = ast_type(parse, &X);
    ast_type_lengths(A, L);
    A->local_zone = Z == 1;
    A->with_zone = Z == 2;
}
simple_type(A) ::= INTERVAL(X) interval_unit(U). {
    A = ast_type(parse, &X);
    A->name2 = U.to.length ? U.to : U.from;
    A->pos = pos_join(X.pos, U.end);
}
simple_type(A) ::= ARRAY(X) LT type(T) GT(R). {
    A = ast_type_of(parse, &X, ast_types_add(parse, (struct ast_types){0}, NULL, T), &R);
}
simple_type(A) ::= MULTISET(X) LT type(T) GT(R). {
    A = ast_type_of(parse, &X, ast_types_add(parse, (struct ast_types){0}, NULL, T), &R);
}
simple_type(A) ::= MAP(X) LT type(T) COMMA type(V) GT(R). {
    A = ast_type_of(parse, &X,
                    ast_types_add(parse, ast_types_add(parse, (struct ast_types){0}, NULL, T),
                                  NULL, V), &R);
}
simple_type(A) ::= ROW(X) LT fields(L) GT(R). { A = ast_type_of(parse, &X, L, &R); }
simple_type(A) ::= ROW(X) LP fields(L) RP(R). { A = ast_type_of(parse, &X, L, &R); }
%type fields {struct ast_types}
fields(A) ::= field(L). { A = L; }
fields(A) ::= fields(B) COMMA id(N) type(T) field_comment. { A = ast_types_add(parse, B, N, T); }
%type field {struct ast_types}
field(A) ::= id(N) type(T) field_comment. {
    A = ast_types_add(parse, (struct ast_types){0}, N, T);
}
field_comment ::= .
field_comment ::= STRING.
field_comment ::= COMMENT STRING.
%type type_lengths {struct type_lengths}
type_lengths(A) ::= . { A = (struct type_lengths){0}; }
type_lengths(A) ::= LP INTEGER(X) RP(R). {
    A = (struct type_lengths){.count = 1, .values = {ast_integer(parse, &X)}, .end = R.pos};
}
type_lengths(A) ::= LP INTEGER(X) COMMA INTEGER(Y) RP(R). {
    A = (struct type_lengths){.count = 2, .end = R.pos,
                              .values = {ast_integer(parse, &X), ast_integer(parse, &Y)}};
}
%type time_zone {int}
time_zone(A) ::= . [NAME_END] { A = 0; }
time_zone(A) ::= WITHOUT TIME ZONE. { A = 0; }
time_zone(A) ::= WITH LOCAL TIME ZONE. { A = 1; }
time_zone(A) ::= WITH TIME ZONE. { A = 2; }
