"""A page that counts its visits in a session, with stock packages: only the address of the store is Tandis's.

    python3 examples/flask/app.py [port 3000] [redis://127.0.0.1:7001]
"""
import sys

import redis
from flask import Flask, session
from flask_session import Session

port = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
url = sys.argv[2] if len(sys.argv) > 2 else "redis://127.0.0.1:7001"

app = Flask(__name__)
app.config["SESSION_TYPE"] = "redis"
app.config["SESSION_REDIS"] = redis.Redis.from_url(url)
app.config["SESSION_KEY_PREFIX"] = "flask:"
Session(app)


@app.get("/")
def index():
    session["views"] = session.get("views", 0) + 1
    return f"You have been here {session['views']} times.\n"


app.run("127.0.0.1", port)
