"""All settings of the project. With no environment at all it runs embedded, in `var/`, on one machine.

Every variable read here is described in README.md; a test compares the two.
"""

import hashlib
import os
import secrets
import sys
import tempfile
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from inference.embedder import EmbedderConfig
from inference.generator import GeneratorConfig
from inference.generator.pattern import DIALECTS
from knowledge import env, files
from knowledge.index import IndexConfig

# Nothing may be fetched at run time: model libraries are told so before they are imported.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["DO_NOT_TRACK"] = "1"

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.path("PINCITE_DATA_DIR", BASE_DIR / "var")
DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds what every matter says


def _secret_key() -> str:
    """The configured key, or one made at the first start and kept in the data directory."""
    configured = env.text("PINCITE_SECRET_KEY")
    if configured:
        return configured
    return files.kept(DATA_DIR / "secret_key", secrets.token_urlsafe(50).encode).decode().strip()


def _socket(directory: Path) -> Path:
    """Where the embedded broker listens. Socket paths may have about 100 characters, so a deep one moves."""
    socket = directory / "broker.sock"
    if len(str(socket)) < 100:
        return socket
    name = hashlib.sha256(str(socket).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"pincite-{name}.sock"


def _issuer() -> str:
    """The provider of single sign-on. What it says is believed, so the way to it must be safe."""
    issuer = env.url("OIDC_ISSUER", {"https", "http"})
    parts = urlsplit(issuer)
    if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise ImproperlyConfigured("OIDC_ISSUER: expected an address starting with https.")
    if issuer and not env.text("OIDC_CLIENT_ID"):
        raise ImproperlyConfigured("OIDC_ISSUER needs OIDC_CLIENT_ID.")
    return issuer


SECRET_KEY = _secret_key()
DEBUG = env.boolean("PINCITE_DEBUG", default=False)
ALLOWED_HOSTS = env.words("PINCITE_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.words("PINCITE_TRUSTED_ORIGINS", [])
HTTPS = env.boolean("PINCITE_HTTPS", default=False)

# --- The parts: embedded by default, production twins by address -------------------------------------

DATABASE_URL = env.url("DATABASE_URL", {"postgres", "postgresql", "sqlite"})
if DATABASE_URL and not DATABASE_URL.startswith("sqlite"):
    DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=0, conn_health_checks=True)}
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DATABASE_URL.removeprefix("sqlite:///") or str(DATA_DIR / "pincite.sqlite3"),
            "CONN_MAX_AGE": 60,  # of the threads of requests (knowledge/lending.py)
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
                "PRAGMA secure_delete=ON;",
            },
        }
    }

REDIS_URL = env.url("REDIS_URL", {"redis", "rediss", "redis+socket"})
EMBEDDED_BROKER = not REDIS_URL
BROKER_DIR = DATA_DIR / "broker"
BROKER_SOCKET = _socket(BROKER_DIR)

EMBEDDER = EmbedderConfig(
    url=env.url("EMBEDDER_URL", {"http", "https"}),
    model=env.text("EMBEDDER_MODEL"),
    api_key=env.text("EMBEDDER_API_KEY"),
    batch_size=env.integer("EMBEDDER_BATCH", 32, least=1, most=1024),
    dtype=env.one_of("EMBEDDER_DTYPE", {"float32", "bfloat16"}),
)
EMBEDDER_DIMENSIONS = env.integer("EMBEDDER_DIMENSIONS", 384, least=8, most=8192)
_cache_key = env.text("GENERATOR_CACHE_KEY")
GENERATOR = GeneratorConfig(
    url=env.url("GENERATOR_URL", {"http", "https"}),
    model=env.text("GENERATOR_MODEL"),
    api_key=env.text("GENERATOR_API_KEY"),
    dialect=env.one_of("GENERATOR_DIALECT", set(DIALECTS)),
    window=env.integer("GENERATOR_WINDOW", 0, least=0, most=4_000_000),
    cache_dir=DATA_DIR / "models",
    cache_bytes=env.integer("GENERATOR_CACHE_MB", 512, least=0, most=4_000_000) << 20,
    host_cache_bytes=env.integer("GENERATOR_HOST_CACHE_MB", 0, least=0, most=4_000_000) << 20,
    disk_cache_bytes=env.integer("GENERATOR_DISK_CACHE_MB", 0, least=0, most=40_000_000) << 20,
    disk_cache_dir=DATA_DIR / "prefixes",
    disk_cache_key=sha256(_cache_key.encode()).digest() if _cache_key else b"",
    cache_int8=env.boolean("GENERATOR_CACHE_INT8", default=False),
    running=env.integer("GENERATOR_RUNNING", 16, least=1, most=1024),
)
AUDIT_KEY = DATA_DIR / "audit_key"  # Ed25519, made at its first use: signs the anchors of the audit
INDEX = IndexConfig(
    url=env.url("QDRANT_URL", {"http", "https"}),
    api_key=env.text("QDRANT_API_KEY"),
    path=DATA_DIR / "index",
    dimensions=EMBEDDER_DIMENSIONS,
)

# --- How documents are cut and answers are made ------------------------------------------------------

CHUNK_CHARACTERS = env.integer("PINCITE_CHUNK_CHARACTERS", 500, least=100, most=8000)
CHUNK_OVERLAP = env.integer("PINCITE_CHUNK_OVERLAP", 0, least=0, most=1000)
CONTEXT_TOKENS = env.integer("PINCITE_CONTEXT_TOKENS", 900, least=200, most=4_000_000)
ANSWER_TOKENS = env.integer("PINCITE_ANSWER_TOKENS", 120, least=16, most=16_000)
ANSWER_SECONDS = env.integer("PINCITE_ANSWER_SECONDS", 120, least=5, most=3600)
# A small model that has left the sources does not come back to them.
UNSUPPORTED_SENTENCES = env.integer("PINCITE_UNSUPPORTED_SENTENCES", 2, least=1, most=1000)
# Whether runs over many documents and research ask the generator too: only worth it with a capable one.
RUN_GENERATOR = env.boolean("PINCITE_RUN_GENERATOR", default=False)
# Of one document that a run has it decide about; 0: as much as its window has room for.
RUN_TOKENS = env.integer("PINCITE_RUN_TOKENS", 0, least=0, most=4_000_000)
MAX_FILE_BYTES = env.integer("PINCITE_MAX_FILE_MB", 200, least=1, most=4096) * 1024 * 1024
FORM_BYTES = 1024 * 1024  # what a form may have around the file it carries
API_CALLS = env.integer("PINCITE_API_CALLS", 3000, least=1, most=10_000_000)  # a minute, for each token
# Inside the firm, so that webhooks may be sent there although their addresses are not public.
WEBHOOK_HOSTS = {host.lower() for host in env.words("PINCITE_WEBHOOK_HOSTS", [])}
# A second factor of everybody who comes by a browser; tokens are not asked for one.
REQUIRE_MFA = env.boolean("PINCITE_REQUIRE_MFA", default=False)
OIDC_ISSUER = _issuer()  # without it nothing is ever asked of a provider
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID")
OIDC_CLIENT_SECRET = env.text("OIDC_CLIENT_SECRET")
OIDC_NAME = env.text("OIDC_NAME", "single sign-on")
OIDC_CREATE_PEOPLE = env.boolean("OIDC_CREATE_PEOPLE", default=False)
WORKERS = env.integer("PINCITE_WORKERS", 2, least=1, most=64)

# --- Django ------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "axes",
    "csp",
    "django_htmx",
    "ninja",
    "knowledge",
    "ingestion",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "knowledge.api.envelope.EnvelopeMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "knowledge.middleware.NoStoreMiddleware",
    "knowledge.audit.middleware.AuditMiddleware",
    "knowledge.middleware.SecondFactorMiddleware",
    "axes.middleware.AxesMiddleware",
    "knowledge.middleware.in_one_thread",  # last, for what it does is done to all above
]
ROOT_URLCONF = "knowledge.urls"
ASGI_APPLICATION = "knowledge.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "knowledge.views.audit.account",
            ],
        },
    },
]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# Five failures lock a user name, known or not, for a quarter of an hour, wherever they come from: no header
# and no other address gets round it.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = ["username"]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "locked.html"
AXES_CLIENT_IP_CALLABLE = "knowledge.audit.trace.address"
AXES_DISABLE_ACCESS_LOG = True  # the audit has it
AXES_ENABLE_ADMIN = False
AXES_SENSITIVE_PARAMETERS = ["username", "ip_address", "code", "credential"]
AXES_VERBOSE = False
# By address too, everybody behind one office router would lock each other out.
SILENCED_SYSTEM_CHECKS = ["axes.W006"]
# Of django-allauth are the rows and the cryptography of second factors and the way to a provider of single
# sign-on; pages and rules are ours (knowledge/entrance.py), and so is the limit of attempts.
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False
SOCIALACCOUNT_ADAPTER = "knowledge.oidc.Adapter"
MFA_ADAPTER = "knowledge.sealing.SealedFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Pincite"
MFA_TOTP_TOLERANCE = 1  # a clock may be half a minute off
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "matters"
LOGOUT_REDIRECT_URL = "login"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = env.text("PINCITE_TIME_ZONE", "UTC")
USE_TZ = True
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
DATA_UPLOAD_MAX_NUMBER_FILES = 1_000
FILE_UPLOAD_TEMP_DIR = None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SESSION_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain", "stream": sys.stderr}},
    "root": {"handlers": ["console"], "level": env.text("PINCITE_LOG_LEVEL", "WARNING")},
    # At lower levels these write whole addresses and headers, with the secrets in them.
    "loggers": {name: {"level": "WARNING"} for name in ("httpx", "httpcore")},
}
