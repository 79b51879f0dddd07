"""A small provider of single sign-on on the loopback: it speaks OpenID Connect, and lies when told to."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, CLIENT_SECRET, KID = "pincite", "the client's secret", "first"
KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)


@dataclass
class Provider:
    """`person` is who signs in there; the other fields change what it says of them."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)  # over those of the id token; None leaves one out
    userinfo: dict[str, Any] = field(default_factory=dict)  # over what /userinfo says
    description: dict[str, Any] = field(default_factory=dict)  # over the discovery document
    token: dict[str, Any] = field(default_factory=dict)  # over the answer of /token
    published: dict[str, Any] = field(default_factory=dict)  # over the key of /jwks; None leaves a member out
    key: Any = KEY
    algorithm: str = "RS256"
    asked: list[str] = field(default_factory=list)  # the paths that were asked for
    grants: dict[str, dict[str, str]] = field(default_factory=dict)  # by code

    def discovery(self) -> dict[str, Any]:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        found = {
            name: f"{self.url}/{path}" for name, path in {**names, "userinfo_endpoint": "userinfo"}.items()
        }
        methods = ["client_secret_basic", "client_secret_post"]
        return {
            "issuer": self.url,
            **found,
            "token_endpoint_auth_methods_supported": methods,
            **self.description,
        }

    def jwks(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
        told = {**public, "kid": KID, "use": "sig", "alg": "RS256", **self.published}
        return {"keys": [{name: value for name, value in told.items() if value is not None}]}

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser goes next: back, with a code."""
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(8)
        self.grants[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def exchange(self, sent: dict[str, str]) -> dict[str, Any]:
        grant = self.grants.pop(sent["code"])
        assert (sent["client_id"], sent["client_secret"]) == (CLIENT, CLIENT_SECRET)
        assert sent["redirect_uri"] == grant["redirect_uri"]
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == grant["code_challenge"]
        made = {"access_token": "access", "token_type": "Bearer", "expires_in": 60}
        return {**made, "id_token": self.id_token(grant), **self.token}

    def id_token(self, grant: dict[str, str]) -> str:
        now = int(time.time())
        times = {"iat": now, "exp": now + 60, **({"auth_time": now} if "max_age" in grant else {})}
        plain = {"iss": self.url, "aud": CLIENT, "nonce": grant["nonce"], **times, **self.person}
        claims = {name: value for name, value in {**plain, **self.claims}.items() if value is not None}
        return jwt.encode(claims, self.key, algorithm=self.algorithm, headers={"kid": KID})


@contextmanager
def providing() -> Iterator[Provider]:
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            if parts.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorize(flat(parts.query)))
                self.end_headers()
            elif parts.path == "/userinfo":
                assert self.headers["Authorization"] == "Bearer access"
                self.say({**provider.person, **provider.userinfo})
            else:
                self.say(provider.jwks() if parts.path == "/jwks" else provider.discovery())

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.say(provider.exchange(flat(sent)))

        def say(self, told: Any) -> None:
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield provider
    server.shutdown()
    server.server_close()
    thread.join()


def flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}
