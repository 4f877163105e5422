"""A Python client whose server is stopped and started again.

    python restart.py HOST PORT PROTOCOL_VERSION

It prints "written" when its rows are acknowledged, waits for a line on its
input, which says that the server was restarted, and then wants to go on.
"""

import sys
import threading
import time

from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
from cassandra.policies import ConstantReconnectionPolicy, WhiteListRoundRobinPolicy

HOST, PORT, VERSION = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([HOST]), request_timeout=180)
cluster = Cluster([HOST], port=PORT, protocol_version=VERSION, execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                  connect_timeout=180, control_connection_timeout=180, idle_heartbeat_timeout=180,
                  reconnection_policy=ConstantReconnectionPolicy(0.2, max_attempts=None))
session = cluster.connect()
session.execute("CREATE KEYSPACE py_restart WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
session.execute("CREATE TABLE py_restart.t (k int PRIMARY KEY, v text)")
insert = session.prepare("INSERT INTO py_restart.t (k, v) VALUES (?, ?)")
for k in range(1000):
    session.execute(insert, (k, "before"))
print("written", flush=True)
sys.stdin.readline()
end = time.monotonic() + 300
while True:
    try:
        session.execute(insert, (1000, "after"))
        break
    except Exception as e:
        if time.monotonic() > end:
            print("FAIL does not come back: %s" % e)
            sys.exit(1)
        threading.Event().wait(0.05)
count = session.execute("SELECT COUNT(*) FROM py_restart.t").one()[0]
session.execute("ALTER TABLE py_restart.t ADD w int")
cluster.shutdown()
if count != 1001:
    print("FAIL %d rows after the restart, want 1001" % count)
    sys.exit(1)
print("ok   1001 rows after the restart")
