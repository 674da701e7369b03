"""A page that counts its visits in a session, with stock packages: only the address of the store is Tandis's.

    python3 examples/django/app.py [port 3000] [redis://127.0.0.1:7001]
"""
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

port = sys.argv[1] if len(sys.argv) > 1 else "3000"
url = sys.argv[2] if len(sys.argv) > 2 else "redis://127.0.0.1:7001"

settings.configure(
    SECRET_KEY="replace this",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware"],
    INSTALLED_APPS=["django.contrib.sessions"],
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    CACHES={
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": url,
            "KEY_PREFIX": "django",
        }
    },
)


def index(request):
    views = request.session.get("views", 0) + 1
    request.session["views"] = views
    return HttpResponse(f"You have been here {views} times.\n", content_type="text/plain")


urlpatterns = [path("", index)]

if __name__ == "__main__":
    execute_from_command_line([sys.argv[0], "runserver", "--noreload", f"127.0.0.1:{port}"])
