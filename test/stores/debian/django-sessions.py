"""Django's sessions in its cache, and the cache itself, with django-redis: before and after the node that listens on the
second port is killed.

    python3 django-sessions.py before|after PORT PORT
"""
import sys
import time

from django.conf import settings

phase, first, second = sys.argv[1:]


def cache_at(port):
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": f"redis://127.0.0.1:{port}",
        "KEY_PREFIX": "dj",
    }


settings.configure(
    SECRET_KEY="any",
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    CACHES={"default": cache_at(first), "other": cache_at(second)},
)

from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import caches

home, other = caches["default"], caches["other"]


def session(cache, key=None):
    store = SessionStore(key)
    store._cache = cache
    return store


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got!r}, not {wanted!r}")


def sessions_live():
    ann = session(home)
    check("nobody", ann.get("user"), None)
    ann["user"], ann["views"] = "ann", 0
    ann.save()
    key = ann.session_key
    check("read elsewhere", dict(session(other, key).items()), {"user": "ann", "views": 0})
    again = session(other, key)
    again["views"] += 1
    again.save()
    check("updated", session(home, key)["views"], 1)
    other.expire(ann.cache_key, 60)
    session(home, key).save()
    again = session(home, key)
    again.set_expiry(3600)
    again.save()
    check("touched", other.ttl(ann.cache_key) > 3590, True)
    again = session(other, key)
    again.cycle_key()
    check("new id", session(home, again.session_key)["user"], "ann")
    check("old id", session(home).exists(key), False)
    check("listed", len(list(home.iter_keys("django.contrib.sessions*"))), 1)
    check("cleared", other.delete_pattern("django.contrib.sessions*"), 1)
    check("gone", session(home, again.session_key).get("user"), None)
    ben = session(home)
    ben["user"] = "ben"
    ben.save()
    session(other, ben.session_key).flush()
    check("logged out", session(home, ben.session_key).get("user"), None)
    ida = session(home)
    ida["user"] = "ida"
    ida.set_expiry(1)
    ida.save()
    time.sleep(1.05)
    check("expired", session(other, ida.session_key).get("user"), None)


def cache_lives():
    check("added", [home.add("a", 1, 60), other.add("a", 2, 60)], [True, False])
    check("counted", [other.incr("a"), home.decr("a"), home.get("a")], [2, 1, 1])
    home.set_many({"b": [1], "c": {"d": 2}}, 60)
    check("several", other.get_many(["a", "b", "c", "none"]), {"a": 1, "b": [1], "c": {"d": 2}})
    check("touched", [other.touch("b", 600), home.ttl("b") > 590], [True, True])
    check("there", [other.has_key("b"), home.has_key("none")], [True, False])
    with home.lock("lock", timeout=60):
        check("locked", other.lock("lock", timeout=60).acquire(blocking=False), False)
    check("deleted", [home.delete("a"), other.delete_many(["b", "c"])], [True, 2])


if phase == "before":
    sessions_live()
    cache_lives()
    zoe = session(other)
    zoe["views"] = 0
    zoe.save()
    home.set("zoe", zoe.session_key, 600)
else:
    zoe = session(home, home.get("zoe"))
    zoe["views"] += 1
    zoe.save()
    check("on the other one", session(other, zoe.session_key)["views"], 1)
    session(other, zoe.session_key).flush()
    check("logged out", session(home, zoe.session_key).get("views"), None)
