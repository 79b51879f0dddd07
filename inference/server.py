"""`python -m inference.server`: our own models behind OpenAI's wire format, for a GPU host of their own."""

import argparse
import ipaddress
import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import uvicorn

from inference.app import ServerConfig, build_app
from inference.embedder import EmbedderConfig
from inference.generator import GeneratorConfig

KEY_VARIABLE = "PINCITE_INFERENCE_API_KEY"
DISK_KEY_VARIABLE = "PINCITE_INFERENCE_DISK_CACHE_KEY"


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    config = _config(options)
    if not config.api_key and not _is_loopback(options.host):
        raise SystemExit(f"Beyond this machine the server needs a key: --api-key, or {KEY_VARIABLE}.")
    uvicorn.run(build_app(config), host=options.host, port=options.port, access_log=False)


def _config(options: argparse.Namespace) -> ServerConfig:
    return ServerConfig(
        embedder=EmbedderConfig(model=options.embedder, device=options.device),
        generator=GeneratorConfig(
            model=options.generator,
            device=options.device,
            window=options.window,
            cache_dir=options.cache_dir,
            cache_bytes=options.cache_mb << 20,
            host_cache_bytes=options.host_cache_mb << 20,
            cache_int8=options.cache_int8,
            disk_cache_bytes=options.disk_cache_mb << 20,
            disk_cache_dir=options.disk_cache_dir,
            disk_cache_key=_sealed_with(os.environ.get(DISK_KEY_VARIABLE, "")),
            running=options.running,
        ),
        api_key=options.api_key or os.environ.get(KEY_VARIABLE, ""),
        most_waiting=options.most_waiting,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inference.server", description="Serve the models of this machine."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--api-key", default="", help=f"better in the environment: {KEY_VARIABLE}")
    parser.add_argument("--embedder", default="", metavar="FOLDER", help="a sentence-transformers model")
    parser.add_argument(
        "--generator", default="", metavar="PATH", help="a Hugging Face folder or a GGUF file"
    )
    parser.add_argument("--device", default="", help="cuda, cuda:1, cpu; else CUDA if there is one")
    parser.add_argument("--window", type=int, default=0, help="tokens; 0 is the model's own")
    parser.add_argument("--cache-dir", type=Path, default=Path("var/models"), help="for dequantised weights")
    parser.add_argument(
        "--most-waiting", type=int, default=32, help="generations at work or waiting; then 429"
    )
    parser.add_argument("--running", type=int, default=16, help="generations written side by side")
    parser.add_argument("--cache-mb", type=int, default=512, help="remembered of prompts, on the device")
    parser.add_argument("--host-cache-mb", type=int, default=0, help="and in memory behind a GPU")
    parser.add_argument("--cache-int8", action="store_true", help="remember in 8 bits")
    parser.add_argument(
        "--disk-cache-mb", type=int, default=0, help=f"and on disk; sealed where {DISK_KEY_VARIABLE} is set"
    )
    parser.add_argument("--disk-cache-dir", type=Path, default=Path("var/prefixes"), metavar="FOLDER")
    return parser


def _sealed_with(secret: str) -> bytes:
    """32 bytes out of a secret of any length; none out of none."""
    return sha256(secret.encode()).digest() if secret else b""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    main()
