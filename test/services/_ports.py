"""Free ports in a row, as _kafka.sh wants them: below the range from which the system takes those of connections."""
import random
import socket


def free_row(count=5):
    for _ in range(1000):
        first, sockets = random.randrange(20000, 32000), []
        try:
            for port in range(first, first + count):
                sockets.append(socket.socket())
                sockets[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise RuntimeError(f"no {count} free ports in a row")
