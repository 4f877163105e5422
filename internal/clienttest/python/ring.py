"""A Python client of a ring, token aware.

    python ring.py HOST PORT REQUESTS

It prints what it has done, a word a line, and waits for a line on its input
after each: "ready" with the schema made, "done N" after N prepared requests by
keys of all types, both once more if the line that follows is "again", "went on"
after some with a node killed, "returned" when that node, named on the line
before, is used again.
"""

import collections
import decimal
import re
import sys
import threading
import time
import uuid

from cassandra import ConsistencyLevel
from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
from cassandra.policies import ConstantReconnectionPolicy, DCAwareRoundRobinPolicy, RetryPolicy, TokenAwarePolicy
from cassandra.util import Date, SortedSet, Time

HOST, PORT, REQUESTS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class NextHost(RetryPolicy):
    """Tries an idempotent statement on at most two more hosts."""

    def _next(self, retry_num):
        return (self.RETRY_NEXT_HOST, None) if retry_num < 2 else (self.RETHROW, None)

    def on_read_timeout(self, *a, retry_num, **k):
        return self._next(retry_num)

    def on_write_timeout(self, *a, retry_num, **k):
        return self._next(retry_num)

    def on_unavailable(self, *a, retry_num, **k):
        return self._next(retry_num)

    def on_request_error(self, query, consistency, error, retry_num):
        return self._next(retry_num)


profile = ExecutionProfile(load_balancing_policy=TokenAwarePolicy(DCAwareRoundRobinPolicy("dc1"), shuffle_replicas=True),
                           request_timeout=60, consistency_level=ConsistencyLevel.ONE, retry_policy=NextHost())
cluster = Cluster([HOST], port=PORT, protocol_version=5, execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                  connect_timeout=60, control_connection_timeout=60, idle_heartbeat_timeout=180,
                  reconnection_policy=ConstantReconnectionPolicy(0.2, max_attempts=None))
session = cluster.connect()


def persist(call):
    """Calls again and again: nodes that come and go, or have no time, refuse or are late."""
    end = time.monotonic() + 300
    while True:
        try:
            return call()
        except Exception:
            if time.monotonic() > end:
                raise
        threading.Event().wait(0.05)


def execute(*args):
    return persist(lambda: session.execute(*args))


execute("CREATE KEYSPACE IF NOT EXISTS py_ring WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 2}")
execute("CREATE TYPE IF NOT EXISTS py_ring.pair (a int, b text)")


def mixed(i):
    return ((i + 1) * 0x9E3779B97F4A7C15 + 2**63) % 2**64 - 2**63


def blob(i):
    return bytes((251 - (i >> 8) - i * at) % 256 for at in range(i % 40 + 1))


def sign(i):
    return -1 if i % 2 else 1


Pair = collections.namedtuple("Pair", "a b")

# Every type that a partition key can have, and keys of several columns.
KINDS = {
    "asciis": ("k ascii", lambda i: ("key %d" % i,)),
    "bigints": ("k bigint", lambda i: (mixed(i),)),
    "blobs": ("k blob", lambda i: (blob(i),)),
    "booleans": ("k boolean", lambda i: (i % 2 == 1,)),
    "dates": ("k date", lambda i: (Date(i * sign(i)),)),
    "decimals": ("k decimal", lambda i: (decimal.Decimal("%d.%d" % (mixed(i), i)),)),
    "doubles": ("k double", lambda i: (mixed(i) / 3,)),
    "floats": ("k float", lambda i: (-i / 4,)),
    "inets": ("k inet", lambda i: ("192.0.2.%d" % (i % 256) if i % 2 else "2001:db8::%x" % i,)),
    "ints": ("k int", lambda i: (mixed(i) >> 32,)),
    "smallints": ("k smallint", lambda i: (i - 200,)),
    "texts": ("k text", lambda i: ("schl\u00fcssel %d \u4e16\u754c" % i,)),
    "times": ("k time", lambda i: (Time(i * 7000999),)),
    "timestamps": ("k timestamp", lambda i: (sign(i) * 1700000000000 + i,)),
    "timeuuids": ("k timeuuid", lambda i: (uuid.UUID(fields=(0xF0000000 + i, 0x8001, 0x11FF, 0x80, 0xC8, 0xE20000000000 + i)),)),
    "tinyints": ("k tinyint", lambda i: (i % 256 - 128,)),
    "uuids": ("k uuid", lambda i: (uuid.uuid5(uuid.NAMESPACE_OID, str(i)),)),
    "varints": ("k varint", lambda i: (mixed(i) ** 3,)),
    "lists": ("k frozen<list<int>>", lambda i: ([i, -i],)),
    "sets": ("k frozen<set<text>>", lambda i: (SortedSet(["a%d" % i, "\u00fc%d" % i]),)),
    "maps": ("k frozen<map<text, int>>", lambda i: ({"a": i, "b": -i},)),
    "tuples": ("k frozen<tuple<int, text>>", lambda i: ((-i, "part %d" % i),)),
    "udts": ("k frozen<pair>", lambda i: (Pair(-i, "part %d" % i),)),
    "vectors": ("k vector<float, 3>", lambda i: ([i, -i, 0.5],)),
    "pairs": ("k int, l text", lambda i: (i, "part %d" % i)),
    "triples": ("k blob, l bigint, m text", lambda i: (blob(i), mixed(i), "\u00fc%d" % i if i % 3 else "")),
}
statements = []
for name, (columns, key) in KINDS.items():
    names = re.findall(r"\b([klm]) ", columns)
    execute("CREATE TABLE IF NOT EXISTS py_ring.%s (%s, v int, PRIMARY KEY ((%s)))" % (name, columns, ", ".join(names)))
for name, (columns, key) in KINDS.items():
    names = re.findall(r"\b([klm]) ", columns)
    insert = persist(lambda: session.prepare("INSERT INTO py_ring.%s (%s, v) VALUES (%s, ?)" % (name, ", ".join(names), ", ".join("?" * len(names)))))
    select = persist(lambda: session.prepare("SELECT v FROM py_ring.%s WHERE %s" % (name, " AND ".join(n + " = ?" for n in names))))
    insert.is_idempotent = select.is_idempotent = True
    statements.append((insert, select, key))


def await_hosts(n):
    while sum(1 for h in cluster.metadata.all_hosts() if h.is_up) < n:
        threading.Event().wait(0.05)


def say(word):
    print(word, flush=True)
    line = sys.stdin.readline()
    if not line:
        sys.exit("nobody says what is next")
    return line.strip()


def requests(n):
    for i in range(n // 2):
        insert, select, key = statements[i % len(statements)]
        values = key(i // len(statements))
        execute(insert, values + (i,))
        execute(select, values)


again = "again"
while again == "again":
    await_hosts(6)
    # Pools of all hosts are there once each has answered.
    while len({execute("SELECT host_id FROM system.local").one()[0] for _ in range(60)}) < 6:
        threading.Event().wait(0.05)
    say("ready")
    requests(REQUESTS)
    again = say("done %d" % (REQUESTS // 2 * 2))
requests(400)
victim = say("went on")
while True:
    used = set()
    for i in range(200):
        insert, select, key = statements[i % len(statements)]
        used.add(str(execute(select, key(i)).response_future.coordinator_host.endpoint.address))
    if victim in used:
        break
    threading.Event().wait(0.05)
say("returned")
cluster.shutdown()
