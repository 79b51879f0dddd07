#!/usr/bin/env bash
# Runs inside a network namespace of its own: loopback alone is up. $1 is the Python of the environment.
set -euo pipefail
"$1" - <<'PYTHON'
import fcntl, socket, struct
# `ip link set lo up`, for machines without ip: SIOCSIFFLAGS with IFF_UP | IFF_RUNNING
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
    print("outside: reachable")
except OSError:
    print("outside: unreachable")
PYTHON
PORT=8765
make run PORT=$PORT &
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
for _ in $(seq 600); do
    page=$("$1" -c "import urllib.request as u; print(u.urlopen('http://127.0.0.1:$PORT/login/').status)" 2>/dev/null) && break
    kill -0 %1
    sleep 0.5
done
echo "first page: ${page:-none}"
