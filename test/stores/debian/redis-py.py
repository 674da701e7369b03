"""Sessions with redis-py: before and after the node that listens on the second port is killed.

    python3 redis-py.py before|after PORT PORT
"""
import sys
import time

import redis

phase, first, second = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
home = redis.Redis(port=first, decode_responses=True)
other = redis.Redis(port=second, decode_responses=True)


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got!r}, not {wanted!r}")


def before():
    home.set("py:ann", "0", ex=3600)
    check("read elsewhere", other.get("py:ann"), "0")
    other.setex("py:ann", 1800, "1")
    check("updated", home.get("py:ann"), "1")
    check("touched", home.expire("py:ann", 3600), True)
    check("renewed", other.ttl("py:ann") > 3590, True)
    check("new id", home.rename("py:ann", "py:ben"), True)
    check("old id", other.get("py:ann"), None)
    home.hset("py:hash", mapping={"user": "ann", "views": 1})
    check("hash", other.hgetall("py:hash"), {"user": "ann", "views": "1"})
    check("listed", sorted(other.scan_iter("py:*")), ["py:ben", "py:hash"])
    check("cleared", home.delete("py:ben", "py:hash"), 2)
    check("none left", list(home.scan_iter("py:*")), [])
    home.set("py:ida", "0", px=300)
    time.sleep(0.35)
    check("expired", other.get("py:ida"), None)
    with home.pipeline(transaction=False) as pipeline:
        replies = pipeline.set("py:p", "1").incr("py:p").delete("py:p").execute()
    check("pipeline", replies, [True, 2, 1])
    replies = home.pipeline().set("py:t", "1").incr("py:t").execute()
    check("transaction", replies, [True, 2])
    with other.pipeline() as transaction:
        transaction.watch("py:t")
        home.incr("py:t")
        transaction.multi()
        transaction.delete("py:t")
        try:
            transaction.execute()
            sys.exit("a watched key was changed, and the transaction went on")
        except redis.WatchError:
            pass
    check("not deleted", home.getdel("py:t"), "3")
    messages = other.pubsub()
    messages.subscribe("py:news")
    check("subscribed", messages.get_message(timeout=5)["type"], "subscribe")
    home.publish("py:news", "hello")
    check("published", messages.get_message(timeout=5)["data"], "hello")
    lock = home.lock("py:lock", timeout=60)
    check("locked", lock.acquire(blocking=False), True)
    rival = other.lock("py:lock", timeout=60)
    check("held", rival.acquire(blocking=False), False)
    lock.extend(60)
    lock.release()
    check("free again", rival.acquire(blocking=False), True)
    rival.release()
    other.set("py:zoe", "0", ex=3600)


def after():
    check("on a survivor", home.get("py:zoe"), "0")
    check("counted", home.incr("py:zoe"), 1)
    check("on the other one", other.get("py:zoe"), "1")
    check("logged out", other.delete("py:zoe"), 1)


before() if phase == "before" else after()
