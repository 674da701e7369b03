"""A Flask application with Flask-Session: before and after the node that listens on the second port is killed.

    python3 flask-session.py before|after PORT PORT
"""
import sys
import time
from datetime import timedelta

import redis
from flask import Flask, session
from flask_session import Session

phase, first, second = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def application(port, lifetime=3600):
    app = Flask(__name__)
    app.config["SESSION_TYPE"] = "redis"
    app.config["SESSION_REDIS"] = redis.Redis(port=port)
    app.config["SESSION_KEY_PREFIX"] = "fl:"
    app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(seconds=lifetime)
    Session(app)

    @app.get("/login")
    def login():
        session["user"], session["views"] = "ann", 0
        return page()

    @app.get("/view")
    def view():
        session["views"] += 1
        return page()

    @app.get("/")
    def page():
        return f"{session.get('user')} {session.get('views')}"

    @app.get("/logout")
    def logout():
        session.clear()
        return page()

    return app.test_client(use_cookies=False)


class Browser:
    def __init__(self, cookie=""):
        self.cookie = cookie

    def ask(self, app, path):
        response = app.get(path, headers={"Cookie": self.cookie})
        self.cookie = response.headers.get("Set-Cookie", self.cookie).split(";")[0]
        return response.text


def check(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got!r}, not {wanted!r}")


home, other = application(first), application(second)
store = redis.Redis(port=first, decode_responses=True)


def before():
    ann = Browser()
    check("nobody", ann.ask(home, "/"), "None None")
    check("logged in", ann.ask(home, "/login"), "ann 0")
    check("read elsewhere", ann.ask(other, "/"), "ann 0")
    check("updated", [ann.ask(other, "/view"), ann.ask(home, "/")], ["ann 1", "ann 1"])
    key = "fl:" + ann.cookie.split("=")[1]
    check("listed", [list(store.scan_iter("fl:*")), store.expire(key, 60)], [[key], True])
    ann.ask(other, "/")
    check("touched", store.ttl(key) > 3590, True)
    cookie = ann.cookie
    ann.ask(other, "/logout")
    check("logged out", [store.exists(key), Browser(cookie).ask(home, "/")], [0, "None None"])
    ann = Browser()
    ann.ask(home, "/login")
    store.delete(*store.scan_iter("fl:*"))
    check("cleared", ann.ask(other, "/"), "None None")
    ida = Browser()
    ida.ask(application(first, 1), "/login")
    time.sleep(1.05)
    check("expired", ida.ask(other, "/"), "None None")
    zoe = Browser()
    zoe.ask(other, "/login")
    store.set("flask cookie", zoe.cookie, ex=600)


def after():
    zoe = Browser(store.get("flask cookie"))
    check("on a survivor", zoe.ask(home, "/view"), "ann 1")
    check("on the other one", [zoe.ask(other, "/view"), zoe.ask(home, "/")], ["ann 2", "ann 2"])


before() if phase == "before" else after()
