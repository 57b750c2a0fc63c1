"""A server that answers as RabbitMQ's management does: an overview, a node, queues and connections, as a test says."""

import asyncio
import contextlib
import fnmatch
import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

NODE = "rabbit@here"


class Broker:
    """Behaves until it is told to answer otherwise: ``odd`` holds replies by the first part of the path."""

    def __init__(self):
        self.overview = {
            "node": NODE, "rabbitmq_version": "3.10.8", "rates_mode": "basic",
            "object_totals": {"connections": 2, "channels": 2, "consumers": 1, "queues": 2},
            "queue_totals": {"messages": 9, "messages_ready": 7, "messages_unacknowledged": 2},
            "message_stats": {"publish": 5, "publish_details": {"rate": 1.5}},
        }  # fmt: skip
        self.node = {
            "name": NODE, "running": True, "uptime": 60_000, "os_pid": "77", "partitions": [], "mem_used": 50,
            "mem_limit": 100, "mem_alarm": False, "disk_free": 1000, "disk_free_alarm": False, "fd_used": 1,
            "fd_total": 10, "sockets_used": 2, "sockets_total": 10, "proc_used": 3, "proc_total": 10,
        }  # fmt: skip
        self.queues = {
            "orders": {"messages_ready": 7, "messages_unacknowledged": 2, "messages": 9, "consumers": 1},
            "work.a": {"messages_ready": 0, "messages_unacknowledged": 0, "messages": 0, "consumers": 0},
        }
        for queue in self.queues.values():
            queue["state"] = "running"
        self.connections = {}
        self.odd = {}
        self.asked = []
        self.writers = []

    async def open(self):
        self.listening = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.listening.sockets[0].getsockname()[1]}"

    def close(self):
        self.listening.close()
        for writer in self.writers:
            writer.transport.abort()

    async def serve(self, reader, writer):
        self.writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split("\r\n")[0].split(" ")
            parts = urlsplit(target)
            path = [unquote(part) for part in parts.path.split("/")[2:]]
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self.asked.append((method, *path))
            self.head, self.query = head, query
            said = self.odd.get((method, path[0]), self.odd.get(path[0]))
            if callable(said):
                await said(writer)
                return
            status, body = said if said is not None else self.answer(method, path, query)
            octets = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(octets)}\r\n\r\n".encode() + octets)
            await writer.drain()
        writer.close()

    def answer(self, method, path, query):
        missing = 404, {"error": "Object Not Found", "reason": "Not Found"}
        match method, path:
            case "GET", ["overview"]:
                return 200, self.overview
            case "GET", ["nodes", name]:
                return (200, self.node) if name == self.node.get("name") else (500, None)
            case "GET", ["queues", _]:
                found = {name: queue for name, queue in self.queues.items() if re.fullmatch(query["name"], name)}
                return 200, page(found)
            case "DELETE", ["queues", _, name, "contents"]:
                self.queues[name] |= {"messages_ready": 0}
                return 204, None
            case "GET", ["connections"]:
                return 200, page(self.connections)
            case "GET", ["connections", name]:
                return (200, {"name": name} | self.connections[name]) if name in self.connections else missing
            case "DELETE", ["connections", name]:
                return (204, None) if self.connections.pop(name, None) is not None else missing
        return missing


def page(found):
    items = [{"name": name} | each for name, each in found.items()]
    return {"filtered_count": len(items), "item_count": len(items), "items": items, "page": 1, "total_count": 99}


def like(names, pattern):
    """Those that a person would expect the pattern to match."""
    return sorted(name for name in names if fnmatch.fnmatchcase(name, pattern))
