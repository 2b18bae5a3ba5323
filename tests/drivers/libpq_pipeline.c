/* libpq's pipeline mode with replacements of a view in every position.
 *
 *     libpq_pipeline CONNINFO
 *
 * Needs table t (a, b) with rows (1, 10), (2, 20) and a view m, which it replaces many times.
 * Prints one line per scenario; the exit status is 1 at the first answer that is not the expected
 * one.
 *
 * Each scenario queues statements, then says which results must come, in order. What a scenario
 * knows of the proxy is nothing: all of it is what libpq's manual promises of any server that has
 * the statement. The file is long because each scenario spells out its results. */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACED "CREATE_MATERIALIZED_VIEW"
#define SELECTED "SELECT 2"
#define TABLE "SELECT a, b FROM t ORDER BY a"
#define BROKEN "SELECT a / 0 AS z FROM t"
#define MISSING "CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a FROM nowhere"
#define ITSELF "CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a + 1 AS a FROM m"
#define ABOVE "CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a, b FROM t WHERE a > $1"

enum { INT2 = 21, INT4 = 23 };

static const char *conninfo;
static const char *scenario;
static PGconn *conn;   /* in pipeline mode during a scenario */
static PGconn *viewer; /* looks at the view, with simple queries */
static int num_results;
static int num_notices;
static int newest; /* the number in the newest replacement that was queued */

static void fail(const char *expected, const char *came)
{
    printf("FAILED %s: result %d: expected %s, came %s\n", scenario, num_results, expected, came);
    exit(1);
}

static void expect(bool is_so, const char *what)
{
    if (!is_so) {
        fail(what, PQerrorMessage(conn));
    }
}

static PGconn *connect_to_server(void)
{
    PGconn *made = PQconnectdb(conninfo);
    if (PQstatus(made) != CONNECTION_OK) {
        printf("FAILED to connect: %s", PQerrorMessage(made));
        exit(1);
    }
    return made;
}

static void count_notice(void *unused, const PGresult *notice)
{
    (void)unused;
    (void)notice;
    num_notices++;
}

/* Queuing. */

static void send_query(const char *sql)
{
    expect(PQsendQueryParams(conn, sql, 0, NULL, NULL, NULL, NULL, 0) == 1, "a query queued");
}

/* The next numbered text, in a buffer that the next call overwrites. */
static const char *replacement(void)
{
    static char sql[120];
    snprintf(sql, sizeof(sql),
             "CREATE OR REPLACE MATERIALIZED VIEW m AS SELECT a, b, %d AS n FROM t", ++newest);
    return sql;
}

static void send_replacement(void)
{
    send_query(replacement());
}

static void send_prepare(const char *name, const char *sql)
{
    expect(PQsendPrepare(conn, name, sql, 0, NULL) == 1, "a Parse queued");
}

static void send_prepared(const char *name)
{
    expect(PQsendQueryPrepared(conn, name, 0, NULL, NULL, NULL, 0) == 1, "an execution queued");
}

static void send_sync(void)
{
    expect(PQpipelineSync(conn) == 1, "a Sync queued");
}

static void send_flush_request(void)
{
    expect(PQsendFlushRequest(conn) == 1 && PQflush(conn) == 0, "a Flush sent");
}

/* Results. */

static PGresult *next(ExecStatusType status)
{
    PGresult *result = PQgetResult(conn);
    num_results++;
    if (result == NULL) {
        fail(PQresStatus(status), "the end of a statement's results");
    }
    if (PQresultStatus(result) != status) {
        printf("%s: %s", PQresStatus(PQresultStatus(result)), PQresultErrorMessage(result));
        fail(PQresStatus(status), PQresStatus(PQresultStatus(result)));
    }
    return result;
}

static void expect_end(void)
{
    PGresult *result = PQgetResult(conn);
    if (result != NULL) {
        fail("the end of a statement's results", PQresStatus(PQresultStatus(result)));
    }
}

static void expect_text(const char *expected, const char *came)
{
    if (strcmp(expected, came) != 0) {
        fail(expected, came);
    }
}

static void expect_replaced(void)
{
    PGresult *result = next(PGRES_COMMAND_OK);
    expect_text(REPLACED, PQcmdStatus(result));
    expect(PQnfields(result) == 0, "no columns");
    PQclear(result);
    expect_end();
}

static void expect_table(void)
{
    PGresult *result = next(PGRES_TUPLES_OK);
    expect_text(SELECTED, PQcmdStatus(result));
    expect(PQntuples(result) == 2 && PQnfields(result) == 2, "two rows of two columns");
    expect_text("1", PQgetvalue(result, 0, 0));
    expect_text("20", PQgetvalue(result, 1, 1));
    PQclear(result);
    expect_end();
}

static void expect_number_of_rows(int expected)
{
    PGresult *result = next(PGRES_TUPLES_OK);
    expect(PQntuples(result) == expected, "another number of rows");
    PQclear(result);
    expect_end();
}

static void expect_prepared(void)
{
    PQclear(next(PGRES_COMMAND_OK));
    expect_end();
}

static void expect_error(const char *sqlstate, const char *words)
{
    PGresult *result = next(PGRES_FATAL_ERROR);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    expect_text(sqlstate, PQresultErrorField(result, PG_DIAG_SQLSTATE));
    if (strstr(message, words) == NULL) {
        fail(words, message);
    }
    PQclear(result);
    expect_end();
    expect(PQpipelineStatus(conn) == PQ_PIPELINE_ABORTED, "an aborted pipeline");
}

static void expect_aborted(int count)
{
    for (int i = 0; i < count; i++) {
        PQclear(next(PGRES_PIPELINE_ABORTED));
        expect_end();
    }
}

static void expect_sync(void)
{
    PQclear(next(PGRES_PIPELINE_SYNC));
    expect(PQpipelineStatus(conn) == PQ_PIPELINE_ON, "a pipeline that goes on");
}

/* The view, seen by another session. */

static PGresult *view(void)
{
    PGresult *result = PQexec(viewer, "SELECT * FROM m ORDER BY a");
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail("rows of the view", PQerrorMessage(viewer));
    }
    return result;
}

static void expect_view(int number)
{
    PGresult *result = view();
    expect(PQnfields(result) == 3 && PQntuples(result) == 2, "two rows of three columns in m");
    if (atoi(PQgetvalue(result, 1, 2)) != number) {
        fail("another replacement in m", PQgetvalue(result, 1, 2));
    }
    PQclear(result);
}

static void expect_view_above(int num_rows)
{
    PGresult *result = view();
    expect(PQnfields(result) == 2, "two columns in m");
    expect(PQntuples(result) == num_rows, "another number of rows in m");
    PQclear(result);
}

/* Scenarios. Each begins with an empty pipeline and ends with one. */

static void every_position(void)
{
    for (int position = 0; position < 10; position++) {
        for (int i = 0; i < 10; i++) {
            if (i == position) {
                send_replacement();
            } else {
                send_query(TABLE);
            }
        }
        send_sync();
        for (int i = 0; i < 10; i++) {
            if (i == position) {
                expect_replaced();
            } else {
                expect_table();
            }
        }
        expect_sync();
        expect_view(newest);
    }
}

static void replacements_only(void)
{
    for (int i = 0; i < 5; i++) {
        send_replacement();
    }
    send_sync();
    for (int i = 0; i < 5; i++) {
        expect_replaced();
    }
    expect_sync();
    expect_view(newest);
}

static void many_series_in_flight(void)
{
    for (int i = 0; i < 20; i++) {
        send_query(TABLE);
        if (i % 5 == 2) {
            send_replacement();
        }
        send_query(TABLE);
        send_sync();
    }
    send_sync();
    for (int i = 0; i < 20; i++) {
        expect_table();
        if (i % 5 == 2) {
            expect_replaced();
        }
        expect_table();
        expect_sync();
    }
    expect_sync();
    expect_view(newest);
}

static void prepared_statements(void)
{
    send_prepare("table", TABLE);
    send_prepare("replace", replacement());
    send_prepared("table");
    send_prepared("replace");
    send_prepared("table");
    send_prepare("", replacement());
    send_prepared("");
    send_prepared("replace");
    send_prepared("");
    send_sync();
    send_prepared("replace");
    send_prepared("table");
    send_sync();
    expect_prepared();
    expect_prepared();
    expect_table();
    expect_replaced();
    expect_table();
    expect_prepared();
    for (int i = 0; i < 3; i++) {
        expect_replaced();
    }
    expect_sync();
    expect_replaced();
    expect_table();
    expect_sync();
    expect_view(newest - 1);
}

static void sixty_four_statements(void)
{
    char name[16];
    int first = newest + 1;
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof(name), "many_%d", i);
        send_prepare(name, replacement());
    }
    for (int i = 63; i >= 0; i--) {
        snprintf(name, sizeof(name), "many_%d", i);
        send_prepared(name);
    }
    send_sync();
    for (int i = 0; i < 64; i++) {
        expect_prepared();
    }
    for (int i = 0; i < 64; i++) {
        expect_replaced();
    }
    expect_sync();
    expect_view(first);
}

static void descriptions(void)
{
    send_prepare("described", ABOVE);
    expect(PQsendDescribePrepared(conn, "described") == 1, "a Describe queued");
    send_prepare("", replacement());
    expect(PQsendDescribePrepared(conn, "") == 1, "a Describe queued");
    send_prepared("");
    expect(PQsendDescribePortal(conn, "") == 1, "a Describe queued");
    send_sync();
    expect_prepared();
    PGresult *result = next(PGRES_COMMAND_OK);
    expect(PQnparams(result) == 1 && PQparamtype(result, 0) == INT4, "one integer parameter");
    expect(PQnfields(result) == 0, "no columns");
    PQclear(result);
    expect_end();
    expect_prepared();
    result = next(PGRES_COMMAND_OK);
    expect(PQnparams(result) == 0 && PQnfields(result) == 0, "no parameters, no columns");
    PQclear(result);
    expect_end();
    expect_replaced();
    result = next(PGRES_COMMAND_OK);
    expect(PQnfields(result) == 0, "no columns of the portal");
    PQclear(result);
    expect_end();
    expect_sync();
    expect_view(newest);
}

static void send_above(const char *name, const char *value, int length, int format, Oid type)
{
    const char *values[] = {value};
    int lengths[] = {length}, formats[] = {format};
    Oid types[] = {type};
    int queued = name == NULL
                     ? PQsendQueryParams(conn, ABOVE, 1, types, values, lengths, formats, format)
                     : PQsendQueryPrepared(conn, name, 1, values, lengths, formats, format);
    expect(queued == 1, "a query with a parameter queued");
}

static void parameters(void)
{
    static const struct {
        const char *value;
        int length, format;
        Oid type;
        int num_rows;
    } cases[] = {
        {"1", 0, 0, 0, 1},           {"0", 0, 0, INT4, 2},        {NULL, 0, 0, INT4, 0},
        {"\0\0\0\1", 4, 1, INT4, 1}, {"\0\0", 2, 1, INT2, 2},     {"\0\0\0\0", 4, 1, 0, 2},
        {NULL, 0, 1, 0, 0},          {"\xff\xff", 2, 1, INT2, 2}, {"-1", 0, 0, INT2, 2},
        {"2", 0, 0, INT4, 0},        {"\0\0\0\5", 4, 1, INT4, 0},
    };
    send_prepare("above", ABOVE);
    send_sync();
    expect_prepared();
    expect_sync();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        send_query(TABLE);
        send_above(NULL, cases[i].value, cases[i].length, cases[i].format, cases[i].type);
        send_query(TABLE);
        send_sync();
        expect_table();
        expect_replaced();
        expect_table();
        expect_sync();
        expect_view_above(cases[i].num_rows);
    }
    for (int least = 0; least < 4; least++) {
        char text[] = {(char)('0' + least), '\0'}, binary[] = {0, 0, 0, (char)(3 - least)};
        send_above("above", text, 0, 0, 0);
        send_sync();
        expect_replaced();
        expect_sync();
        expect_view_above(least < 2 ? 2 - least : 0);
        send_above("above", binary, 4, 1, 0);
        send_sync();
        expect_replaced();
        expect_sync();
        expect_view_above(least > 1 ? least - 1 : 0);
    }
}

static void flush_requests(void)
{
    for (int i = 0; i < 3; i++) {
        send_query(TABLE);
        send_replacement();
        send_flush_request();
        expect_table();
        expect_replaced();
        expect_view(newest);
        send_query(TABLE);
        send_flush_request();
        expect_table();
    }
    send_prepare("flushed", replacement());
    send_flush_request();
    expect_prepared();
    send_prepared("flushed");
    send_flush_request();
    expect_replaced();
    send_query(BROKEN);
    send_flush_request();
    expect_error("XX000", "Division by zero");
    send_prepared("flushed");
    send_query(TABLE);
    send_sync();
    expect_aborted(2);
    expect_sync();
    expect_view(newest);
}

/* An error at each place of five, a replacement in the middle; the next series is in flight. */
static void errors_around(void)
{
    for (int broken = 0; broken < 5; broken++) {
        int before = newest;
        for (int i = 0; i < 5; i++) {
            const char *sql = i == 2 ? replacement() : TABLE;
            send_query(i == broken ? BROKEN : sql);
        }
        send_sync();
        send_query(TABLE);
        send_sync();
        for (int i = 0; i < broken; i++) {
            if (i == 2) {
                expect_replaced();
                before = newest;
            } else {
                expect_table();
            }
        }
        expect_error("XX000", "Division by zero");
        expect_aborted(4 - broken);
        expect_sync();
        expect_table();
        expect_sync();
        expect_view(before);
        newest = before;
    }
}

static void errors_of_the_statement(void)
{
    send_replacement();
    send_query(MISSING);
    send_query(TABLE);
    send_query(MISSING);
    send_sync();
    send_query(TABLE);
    send_query(ITSELF);
    send_replacement();
    newest--;
    send_prepare("never", TABLE);
    send_prepared("never");
    send_sync();
    send_prepared("never");
    send_query(TABLE);
    send_sync();
    send_query(TABLE);
    send_sync();
    expect_replaced();
    expect_error("42704", "nowhere");
    expect_aborted(2);
    expect_sync();
    expect_table();
    expect_error("42P17", "reads the view that it replaces");
    expect_aborted(3);
    expect_sync();
    expect_error("XX000", "Prepare statement never not found");
    expect_aborted(1);
    expect_sync();
    expect_table();
    expect_sync();
    expect_view(newest);
}

static void read_only_transaction(void)
{
    send_query("BEGIN READ ONLY");
    send_query(TABLE);
    send_replacement();
    newest--;
    send_query(TABLE);
    send_sync();
    send_query(TABLE);
    send_query("COMMIT");
    send_replacement();
    send_sync();
    PQclear(next(PGRES_COMMAND_OK));
    expect_end();
    expect_table();
    expect_error("25006", "read-only transaction");
    expect_aborted(1);
    expect_sync();
    expect(PQtransactionStatus(conn) != PQTRANS_IDLE, "a transaction");
    expect_table();
    PQclear(next(PGRES_COMMAND_OK));
    expect_end();
    expect_replaced();
    expect_sync();
    expect(PQtransactionStatus(conn) == PQTRANS_IDLE, "no transaction");
    expect_view(newest);
}

static void expect_single_rows(int count)
{
    for (int i = 1; i <= count; i++) {
        PGresult *row = next(PGRES_SINGLE_TUPLE);
        expect(PQntuples(row) == 1 && atoi(PQgetvalue(row, 0, 0)) == i, "the next row");
        PQclear(row);
    }
    expect_number_of_rows(0);
}

static void single_rows(void)
{
    const char *rows = "SELECT * FROM generate_series(1, 500)";
    send_query(rows);
    send_replacement();
    send_query(rows);
    send_query(TABLE);
    send_sync();
    expect(PQsetSingleRowMode(conn) == 1, "single rows");
    expect_single_rows(500);
    expect(PQsetSingleRowMode(conn) == 1, "single rows");
    expect_replaced();
    expect(PQsetSingleRowMode(conn) == 1, "single rows");
    expect_single_rows(500);
    expect_table();
    expect_sync();
    expect_view(newest);
}

static void notices(void)
{
    num_notices = 0;
    send_query(TABLE);
    send_sync();
    expect_table();
    expect_sync();
    expect(num_notices == 0, "no notice");
    send_query(TABLE);
    send_replacement();
    send_sync();
    expect_table();
    expect_replaced();
    expect(num_notices >= 2, "at least two notices");
    expect_sync();
}

/* More than the sockets hold, both ways, before anything is read. */
static void large_pipeline(void)
{
    char sql[4000];
    int length = snprintf(sql, sizeof(sql), "SELECT * FROM generate_series(1, 300) /*");
    memset(sql + length, 'x', sizeof(sql) - (size_t)length - 1);
    memcpy(sql + sizeof(sql) - 3, "*/", 3);
    for (int i = 0; i < 600; i++) {
        send_query(sql);
        if (i % 200 == 100) {
            send_replacement();
        }
    }
    send_sync();
    for (int i = 0; i < 600; i++) {
        expect_number_of_rows(300);
        if (i % 200 == 100) {
            expect_replaced();
        }
    }
    expect_sync();
    expect_view(newest);
}

/* The same session without a pipeline. */
static void outside_a_pipeline(void)
{
    expect(PQexitPipelineMode(conn) == 1, "the end of the pipeline");
    for (int i = 0; i < 2; i++) {
        PGresult *result = PQexec(conn, replacement());
        expect_text(REPLACED, PQcmdStatus(result));
        PQclear(result);
        expect_view(newest);
        result = PQexecParams(conn, replacement(), 0, NULL, NULL, NULL, NULL, 1);
        expect_text(REPLACED, PQcmdStatus(result));
        PQclear(result);
        expect_view(newest);
    }
    PGresult *result = PQexecPrepared(conn, "replace", 0, NULL, NULL, NULL, 0);
    expect_text(REPLACED, PQcmdStatus(result));
    PQclear(result);
    result = PQexec(conn, TABLE);
    expect_text(SELECTED, PQcmdStatus(result));
    PQclear(result);
    expect(PQenterPipelineMode(conn) == 1, "pipeline mode");
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"every position of ten", every_position},
    {"replacements only", replacements_only},
    {"many series in flight", many_series_in_flight},
    {"prepared statements", prepared_statements},
    {"sixty-four statements", sixty_four_statements},
    {"descriptions", descriptions},
    {"parameters", parameters},
    {"flush requests", flush_requests},
    {"errors around", errors_around},
    {"errors of the statement", errors_of_the_statement},
    {"read only transaction", read_only_transaction},
    {"single rows", single_rows},
    {"notices", notices},
    {"large pipeline", large_pipeline},
    {"outside a pipeline", outside_a_pipeline},
    {"every position once more", every_position},
};

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: libpq_pipeline CONNINFO\n");
        return 1;
    }
    conninfo = argv[1];
    conn = connect_to_server();
    viewer = connect_to_server();
    PQsetNoticeReceiver(conn, count_notice, NULL);
    scenario = "start";
    expect(PQenterPipelineMode(conn) == 1, "pipeline mode");
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
        scenario = scenarios[i].name;
        num_results = 0;
        scenarios[i].run();
        printf("passed %s (%d results)\n", scenario, num_results);
    }
    PQfinish(conn);
    PQfinish(viewer);
    return 0;
}
