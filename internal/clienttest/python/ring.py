"""A Python client of a ring, token aware.

    python ring.py HOST PORT REQUESTS

It prints what it has done, a word a line, and waits for a line on its input
after each: "ready" with the schema made, "done N" after N prepared requests by
keys of all types, "went on" after some with a node killed, "returned" when that
node, named on the line before, is used again.
"""

import sys
import threading
import time
import uuid

from cassandra import ConsistencyLevel
from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
from cassandra.policies import ConstantReconnectionPolicy, DCAwareRoundRobinPolicy, RetryPolicy, TokenAwarePolicy

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
                  reconnection_policy=ConstantReconnectionPolicy(0.2, max_attempts=None))
session = cluster.connect()
session.execute("CREATE KEYSPACE py_ring WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 2}")
KINDS = {
    "ints": ("k int", lambda i: (i - 500,)),
    "bigints": ("k bigint", lambda i: (i << 40 | i,)),
    "texts": ("k text", lambda i: ("schl\u00fcssel %d" % i,)),
    "blobs": ("k blob", lambda i: (bytes([255 - i % 256, i % 256, 128]),)),
    "uuids": ("k uuid", lambda i: (uuid.uuid5(uuid.NAMESPACE_OID, str(i)),)),
    "pairs": ("k int, l text", lambda i: (i, "part %d" % i)),
}
statements = []
for name, (columns, key) in KINDS.items():
    names = [c.split()[0] for c in columns.split(", ")]
    session.execute("CREATE TABLE py_ring.%s (%s, v int, PRIMARY KEY ((%s)))" % (name, columns, ", ".join(names)))
for name, (columns, key) in KINDS.items():
    names = [c.split()[0] for c in columns.split(", ")]
    insert = session.prepare("INSERT INTO py_ring.%s (%s, v) VALUES (%s, ?)" % (name, ", ".join(names), ", ".join("?" * len(names))))
    select = session.prepare("SELECT v FROM py_ring.%s WHERE %s" % (name, " AND ".join(n + " = ?" for n in names)))
    insert.is_idempotent = select.is_idempotent = True
    statements.append((insert, select, key))


def await_hosts(n):
    while sum(1 for h in cluster.metadata.all_hosts() if h.is_up) < n:
        threading.Event().wait(0.05)


def say(word):
    print(word, flush=True)
    return sys.stdin.readline().strip()


def requests(n):
    for i in range(n // 2):
        insert, select, key = statements[i % len(statements)]
        session.execute(insert, key(i) + (i,))
        session.execute(select, key(i))


await_hosts(6)
# Pools of all hosts are there once each has answered.
while len({session.execute("SELECT host_id FROM system.local").one()[0] for _ in range(60)}) < 6:
    threading.Event().wait(0.05)
say("ready")
requests(REQUESTS)
say("done %d" % (REQUESTS // 2 * 2))
requests(400)
victim = say("went on")
while True:
    used = set()
    for i in range(200):
        insert, select, key = statements[i % len(statements)]
        f = session.execute_async(select, key(i))
        f.result()
        used.add(str(f.coordinator_host.endpoint.address))
    if victim in used:
        break
    threading.Event().wait(0.05)
say("returned")
cluster.shutdown()
