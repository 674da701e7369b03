/*
 * Sessions with hiredis: before and after the node that listens on the second port is killed.
 *
 *     cc -o hiredis hiredis.c -lhiredis && ./hiredis before|after PORT PORT
 */
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static redisContext *connect_to(const char *port) {
  redisContext *context = redisConnect("127.0.0.1", atoi(port));
  if (context == NULL || context->err) {
    fprintf(stderr, "no connection to %s\n", port);
    exit(1);
  }
  return context;
}

/* Runs a command; the reply must be this text, or this integer; NULL is nil. */
static void check(redisContext *context, const char *wanted, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  redisReply *reply = redisvCommand(context, format, arguments);
  va_end(arguments);
  char got[256] = "(no reply)";
  int is_nil = reply != NULL && reply->type == REDIS_REPLY_NIL;
  if (reply != NULL && reply->type == REDIS_REPLY_INTEGER) {
    snprintf(got, sizeof got, "%lld", reply->integer);
  } else if (reply != NULL && reply->str != NULL) {
    snprintf(got, sizeof got, "%s", reply->str);
  }
  if (wanted == NULL ? !is_nil : is_nil || strcmp(got, wanted) != 0) {
    fprintf(stderr, "%s: %s, not %s\n", format, is_nil ? "nil" : got, wanted ? wanted : "nil");
    exit(1);
  }
  freeReplyObject(reply);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  redisContext *home = connect_to(argv[2]);
  redisContext *other = connect_to(argv[3]);
  if (strcmp(argv[1], "before") == 0) {
    check(home, "OK", "SETEX c:ann 3600 %b", "a\0b", (size_t)3);
    check(other, "3", "STRLEN c:ann");
    check(other, "OK", "SET c:ann 1 EX 1800");
    check(home, "1", "GET c:ann");
    check(home, "1", "EXPIRE c:ann 3600");
    check(home, "OK", "RENAME c:ann c:ben");
    check(other, NULL, "GET c:ann");
    check(other, "1", "DEL c:ben");
    redisAppendCommand(home, "SET c:p 1");
    redisAppendCommand(home, "INCR c:p");
    redisAppendCommand(home, "DEL c:p");
    for (int i = 0; i < 3; i++) {
      void *reply;
      if (redisGetReply(home, &reply) != REDIS_OK) return 1;
      freeReplyObject(reply);
    }
    check(other, "OK", "SETEX c:zoe 3600 0");
  } else {
    check(home, "0", "GET c:zoe");
    check(home, "1", "INCR c:zoe");
    check(other, "1", "GET c:zoe");
    check(other, "1", "DEL c:zoe");
  }
  redisFree(home);
  redisFree(other);
  return 0;
}
