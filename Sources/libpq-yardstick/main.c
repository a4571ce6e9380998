// The work of the benchmark's calls by libpq alone, for comparison: one prepared statement after another, without a pipeline.
//
//   libpq-yardstick get URI COUNT      looks users up by their ids
//   libpq-yardstick create URI COUNT   inserts users, each in a transaction of its own
//   libpq-yardstick copy URI COUNT     loads users by one binary COPY
//   libpq-yardstick list URI COUNT     reads all users through a cursor, so many times
//
// Prints the CPU time of this process and the wall-clock time, both in seconds, and the number of rows.

#include <postgresql/libpq-fe.h>

#include <arpa/inet.h>
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLUMNS "id, email, name, status, created_at, updated_at, deleted_at, purge_at, labels"

static PGconn *connection;

static double seconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(void) {
  fprintf(stderr, "libpq-yardstick: %s", PQerrorMessage(connection));
  exit(1);
}

static PGresult *checked(PGresult *result) {
  ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_IN) fail();
  return result;
}

static void run(const char *sql) { PQclear(checked(PQexec(connection, sql))); }

// Touches every value, as a program that uses the rows does.
static long read_rows(const PGresult *result) {
  long bytes = 0;
  for (int row = 0; row < PQntuples(result); row++) {
    for (int column = 0; column < PQnfields(result); column++) {
      if (PQgetisnull(result, row, column)) continue;
      bytes += PQgetlength(result, row, column) + *PQgetvalue(result, row, column);
    }
  }
  return bytes;
}

static void get(long count) {
  PGresult *ids = checked(PQexecParams(
      connection, "SELECT id FROM users ORDER BY md5(id::text) LIMIT 10000", 0, NULL, NULL, NULL, NULL, 1));
  int known = PQntuples(ids);
  PQclear(checked(PQprepare(connection, "get", "SELECT " COLUMNS " FROM users WHERE id = $1", 0, NULL)));
  double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
  for (long call = 0; call < count; call++) {
    const char *values[] = {PQgetvalue(ids, (int)(call % known), 0)};
    int lengths[] = {16}, formats[] = {1};
    PGresult *result = checked(PQexecPrepared(connection, "get", 1, values, lengths, formats, 1));
    if (PQntuples(result) != 1 || read_rows(result) == 0) exit(1);
    PQclear(result);
  }
  printf("%f %f %ld\n", seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall, count);
  PQclear(ids);
}

// Users that no call creates, with ids of the same form.
struct user {
  uint8_t id[16];
  char email[64];
  char name[64];
};

static void make_user(struct user *user, long number) {
  uint64_t high = htobe64((uint64_t)(1700000000000 + number / 100) << 16 | 0x7000 | (uint64_t)(number % 100));
  uint64_t low = htobe64(0x8000000000000000 | (uint64_t)(uint32_t)number * 2654435761u);
  memcpy(user->id, &high, 8);
  memcpy(user->id + 8, &low, 8);
  snprintf(user->email, sizeof user->email, "raw-%lx@example.com", (unsigned long)((uint32_t)number * 2654435761u));
  snprintf(user->name, sizeof user->name, "raw user %ld", number);
}

static void create(long count) {
  PQclear(checked(PQprepare(
      connection, "create",
      "INSERT INTO users (id, email, email_key, name, status, created_at, name_key) "
      "VALUES ($1, $2, $3, $4, 1, $5::bigint, $6)",
      0, NULL)));
  double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
  for (long number = 0; number < count; number++) {
    struct user user;
    make_user(&user, number);
    uint64_t time = htobe64((uint64_t)(1700000000000000 + number));
    const char *values[] = {(char *)user.id, user.email, user.email, user.name, (char *)&time, user.name};
    int email = (int)strlen(user.email), name = (int)strlen(user.name);
    int lengths[] = {16, email, email, name, 8, name}, formats[] = {1, 1, 1, 1, 1, 1};
    PQclear(checked(PQexecPrepared(connection, "create", 6, values, lengths, formats, 1)));
  }
  printf("%f %f %ld\n", seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall, count);
}

static char buffer[65536];
static int filled;

static void flush_buffer(void) {
  if (PQputCopyData(connection, buffer, filled) != 1) fail();
  filled = 0;
}

static void put(const void *bytes, int count) {
  if (filled + count > (int)sizeof buffer) flush_buffer();
  memcpy(buffer + filled, bytes, (size_t)count);
  filled += count;
}

static void put_field(const void *bytes, int count) {
  uint32_t length = htonl((uint32_t)count);
  put(&length, 4);
  put(bytes, count);
}

// The format is that of postgresql.org/docs/current/sql-copy.html.
static void copy(long count) {
  double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
  run("COPY users (id, email, email_key, name, status, created_at, name_key) FROM STDIN (FORMAT binary)");
  put("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  for (long number = 0; number < count; number++) {
    struct user user;
    make_user(&user, number);
    uint64_t time = htobe64((uint64_t)(1700000000000000 + number));
    uint16_t fields = htons(7), status = htons(1);
    put(&fields, 2);
    put_field(user.id, 16);
    put_field(user.email, (int)strlen(user.email));
    put_field(user.email, (int)strlen(user.email));
    put_field(user.name, (int)strlen(user.name));
    put_field(&status, 2);
    put_field(&time, 8);
    put_field(user.name, (int)strlen(user.name));
  }
  uint16_t end = htons(65535);
  put(&end, 2);
  flush_buffer();
  if (PQputCopyEnd(connection, NULL) != 1) fail();
  PQclear(checked(PQgetResult(connection)));
  printf("%f %f %ld\n", seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall, count);
}

static void list(long times) {
  long rows = 0;
  double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
  for (long time = 0; time < times; time++) {
    run("BEGIN");
    run("DECLARE listing NO SCROLL CURSOR FOR SELECT " COLUMNS " FROM users ORDER BY coalesce(place, id)");
    for (;;) {
      PGresult *page = checked(PQexecParams(connection, "FETCH 1000 FROM listing", 0, NULL, NULL, NULL, NULL, 1));
      int count = PQntuples(page);
      rows += count;
      if (count > 0 && read_rows(page) == 0) exit(1);
      PQclear(page);
      if (count == 0) break;
    }
    run("COMMIT");
  }
  printf("%f %f %ld\n", seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall, rows);
}

int main(int count, char **arguments) {
  if (count != 4) {
    fprintf(stderr, "usage: libpq-yardstick get|create|copy|list URI COUNT\n");
    return 64;
  }
  connection = PQconnectdb(arguments[2]);
  if (PQstatus(connection) != CONNECTION_OK) fail();
  long number = atol(arguments[3]);
  run("DELETE FROM users WHERE email LIKE 'raw-%'");
  if (strcmp(arguments[1], "get") == 0) get(number);
  else if (strcmp(arguments[1], "create") == 0) create(number);
  else if (strcmp(arguments[1], "copy") == 0) copy(number);
  else if (strcmp(arguments[1], "list") == 0) list(number);
  else return 64;
  PQfinish(connection);
  return 0;
}
