"""Checks of a server with the stock Python driver.

    python driver.py HOST PORT PROTOCOL_VERSION

Prints one line per check and leaves with 1 if one failed.
"""

import datetime
import decimal
import os
import sys
import threading
import time
import traceback
import uuid

from cassandra import AlreadyExists, InvalidRequest, ProtocolVersion, Unauthorized
from cassandra.cluster import Cluster, ExecutionProfile, EXEC_PROFILE_DEFAULT
from cassandra.concurrent import execute_concurrent_with_args
from cassandra.policies import WhiteListRoundRobinPolicy
from cassandra.protocol import ConfigurationException, SyntaxException
from cassandra.query import (BatchStatement, BatchType, SimpleStatement,
                             UNSET_VALUE, tuple_factory)
from cassandra.util import Date, Duration, OrderedMapSerializedKey, SortedSet, Time

HOST, PORT, VERSION = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
KS = "py_%d_%d" % (VERSION, os.getpid())
ROWS = int(os.environ.get("ILION_TEST_ROWS", "100000"))
CHECKS = []


def check(f):
    CHECKS.append(f)
    return f


def expect(got, want, what=""):
    if got != want:
        raise AssertionError("%s: got %.300r, want %.300r" % (what, got, want))


def eventually(got, want, what=""):
    """Expects what events of the server bring about: they may be on their way, with older news before them."""
    end = time.monotonic() + 180
    while True:
        try:
            value = got()
        except KeyError as e:
            value = e
        if value == want or time.monotonic() > end:
            return expect(value, want, what)
        threading.Event().wait(0.05)


def expect_error(kind, says, call):
    try:
        call()
    except kind as e:
        if says.lower() not in str(e).lower():
            raise AssertionError("error %s does not say %r" % (e, says))
        return
    except Exception as e:
        raise AssertionError("error %s %s, want %s" % (type(e).__name__, e, kind.__name__))
    raise AssertionError("no error, want %s" % kind.__name__)


def connect(**more):
    profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([HOST]),
                               row_factory=tuple_factory, request_timeout=180)
    more.setdefault("compression", "lz4")
    return Cluster([HOST], port=PORT, protocol_version=VERSION,
                   execution_profiles={EXEC_PROFILE_DEFAULT: profile}, connect_timeout=180,
                   control_connection_timeout=180, idle_heartbeat_timeout=180, **more)


cluster = connect()
session = cluster.connect()
session.execute("CREATE KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}" % KS)
session.set_keyspace(KS)


@check
def speaks_the_version():
    expect(cluster.protocol_version, VERSION)
    expect(cluster.control_connection._connection.compressor is not None, True, "compression")
    hosts = cluster.metadata.all_hosts()
    expect(len(hosts), 1)
    expect((hosts[0].datacenter, hosts[0].rack), ("datacenter1", "rack1"))
    expect(cluster.metadata.partitioner, "org.apache.cassandra.dht.Murmur3Partitioner")
    expect(cluster.metadata.token_map is not None, True, "token map")


@check
def connects_with_other_settings():
    for more in ({"compression": False}, {"compression": True}, {"schema_metadata_enabled": False},
                 {"token_metadata_enabled": False}):
        c = connect(**more)
        expect(c.connect(KS).execute("SELECT key FROM system.local").one(), ("local",))
        c.shutdown()


@check
def downgrades_by_itself():
    c = Cluster([HOST], port=PORT, connect_timeout=180, control_connection_timeout=180)  # begins with versions that only DSE has
    c.connect()
    expect(c.protocol_version in (ProtocolVersion.V5, ProtocolVersion.V4), True)
    c.shutdown()


@check
def learns_the_schema():
    session.execute("""CREATE TABLE learnt (a int, "B" text, c timestamp, d timeuuid, s text static,
        v map<text, frozen<list<int>>>, PRIMARY KEY ((a, "B"), c, d))
        WITH CLUSTERING ORDER BY (c DESC, d ASC) AND comment = 'it''s' AND gc_grace_seconds = 1234""")
    eventually(lambda: "learnt" in cluster.metadata.keyspaces[KS].tables, True)
    t = cluster.metadata.keyspaces[KS].tables["learnt"]
    expect([c.name for c in t.partition_key], ["a", "B"])
    expect([(c.name, c.is_reversed) for c in t.clustering_key], [("c", True), ("d", False)])
    expect(t.columns["s"].is_static, True)
    expect(t.columns["v"].cql_type, "map<text, frozen<list<int>>>")
    expect((t.options["comment"], t.options["gc_grace_seconds"]), ("it's", 1234))
    session.execute("ALTER TABLE learnt ADD w int")
    eventually(lambda: "w" in cluster.metadata.keyspaces[KS].tables["learnt"].columns, True)
    text = cluster.metadata.keyspaces[KS].tables["learnt"].as_cql_query()
    session.execute("DROP TABLE learnt")
    eventually(lambda: "learnt" in cluster.metadata.keyspaces[KS].tables, False)
    session.execute(text)
    for name in ("system", "system_schema", "system_virtual_schema"):
        expect(name in cluster.metadata.keyspaces, True, name)


NATIVE = [
    ("ascii", "'plain'", ["plain", "", "a" * 70000]),
    ("bigint", "-42", [-42, 2**63 - 1, -2**63, 0]),
    ("blob", "0x00ff10", [b"\x00\xff\x10", b"", bytes(1 << 20)]),
    ("boolean", "true", [True, False]),
    ("date", "'2024-02-29'", [Date("2024-02-29"), Date(0), Date(-1), Date(2**31 - 1), Date(-2**31)]),
    ("decimal", "-12.3400", [decimal.Decimal("-12.3400"), decimal.Decimal("5e20"), decimal.Decimal("0")]),
    ("double", "-0.1", [-0.1, 1.7976931348623157e308, float("inf"), 5e-324]),
    ("duration", "1y2mo3w4d5h6m7s8ms9us10ns", [Duration(14, 25, 18367008009010), Duration(0, 0, 0), Duration(-1, -2, -3)]),
    ("float", "1.5", [1.5, float("-inf"), -0.25]),
    ("inet", "'2001:db8::1'", ["2001:db8::1", "192.0.2.7"]),
    ("int", "2147483647", [2**31 - 1, -2**31, -1]),
    ("smallint", "-32768", [-32768, 32767]),
    ("text", "'grüße, ''世界'''", ["grüße, '世界'", "", "\x00\x01", "🦀"]),
    ("time", "'23:59:59.999999999'", [Time(86400 * 10**9 - 1), Time(0)]),
    ("timestamp", "'2024-02-29T12:30:00.123Z'", [datetime.datetime(2024, 2, 29, 12, 30, 0, 123000),
                                                 datetime.datetime(1969, 12, 31, 23, 59, 59, 999000)]),
    ("timeuuid", "13814000-1dd2-11b2-8080-808080808080", [uuid.UUID("13814000-1dd2-11b2-8080-808080808080")]),
    ("tinyint", "-128", [-128, 127]),
    ("uuid", "123e4567-e89b-42d3-a456-426614174000", [uuid.UUID("123e4567-e89b-42d3-a456-426614174000")]),
    ("varchar", "'x'", ["x"]),
    ("vector<float, 3>", "[1.0, -2.5, 0]", [[1.0, -2.5, 0.0]]),
    ("varint", "-170141183460469231731687303715884105729", [-170141183460469231731687303715884105729, 0, 128, -128]),
]

COMPOUND = [
    ("list<int>", "[3, 1, 2, 1]", [[3, 1, 2, 1]]),
    ("set<text>", "{'b', 'a', 'b'}", [{"a", "b"}]),
    ("map<text, double>", "{'b': 2, 'a': 1}", [{"a": 1.0, "b": 2.0}]),
    ("frozen<list<text>>", "['b', 'a']", [["b", "a"], []]),
    ("frozen<set<int>>", "{3, 1}", [{1, 3}]),
    ("frozen<map<int, text>>", "{1: 'x'}", [{1: "x"}]),
    ("tuple<int, text, frozen<list<int>>>", "(1, 'a', [1, 2])", [(1, "a", [1, 2]), (1, None, None)]),
    ("map<text, frozen<list<int>>>", "{'k': [1, 2]}", [{"k": [1, 2]}]),
    ("list<frozen<tuple<int, text>>>", "[(1, 'x'), (2, 'y')]", [[(1, "x"), (2, "y")]]),
    ("frozen<map<text, frozen<map<text, frozen<set<int>>>>>>", "{'a': {'b': {2, 1}}}", [{"a": {"b": {1, 2}}}]),
]


def plain(v):
    """Turns the driver's containers into those that were written."""
    if isinstance(v, SortedSet):
        return {plain(x) for x in v}
    if isinstance(v, OrderedMapSerializedKey):
        return {k: plain(x) for k, x in v.items()}
    if isinstance(v, list):
        return [plain(x) for x in v]
    if isinstance(v, tuple):
        return tuple(plain(x) for x in v)
    return v


def round_trip(cases, prefix):
    for i, (typ, literal, values) in enumerate(cases):
        table = "%s%d" % (prefix, i)
        session.execute("CREATE TABLE %s (k int PRIMARY KEY, v %s)" % (table, typ))
        session.execute("INSERT INTO %s (k, v) VALUES (-1, %s)" % (table, literal))
        insert = session.prepare("INSERT INTO %s (k, v) VALUES (?, ?)" % table)
        read = session.prepare("SELECT v FROM %s WHERE k = ?" % table)
        for k, v in enumerate(values):
            session.execute(insert, (k, v))
        for k in range(-1, len(values)):
            want = values[max(k, 0)]
            expect(plain(session.execute(read, (k,)).one()[0]), want, "%s prepared" % typ)
            expect(plain(session.execute("SELECT v FROM %s WHERE k = %d" % (table, k)).one()[0]), want, "%s simple" % typ)


@check
def native_types():
    round_trip(NATIVE, "n")


@check
def collections_tuples_nested():
    round_trip(COMPOUND, "c")


@check
def parameters_of_simple_statements():
    session.execute("CREATE TABLE simple (k int PRIMARY KEY, v text, w list<int>)")
    session.execute("INSERT INTO simple (k, v, w) VALUES (%s, %s, %s)", (1, "it's", [1, 2]))
    session.execute("INSERT INTO simple (k, v) VALUES (%(key)s, %(value)s)", {"key": 2, "value": None})
    expect(sorted(session.execute("SELECT k, v FROM simple").all()), [(1, "it's"), (2, None)])


@check
def user_types():
    session.execute("CREATE TYPE address (street text, zip int)")
    session.execute("CREATE TABLE users (k int PRIMARY KEY, home frozen<address>, more list<frozen<address>>)")

    class Address:
        def __init__(self, street, zip):
            self.street, self.zip = street, zip

        def __eq__(self, other):
            return (self.street, self.zip) == (other.street, other.zip)

    cluster.register_user_type(KS, "address", Address)
    insert = session.prepare("INSERT INTO users (k, home, more) VALUES (?, ?, ?)")
    a, b = Address("Elm", 1), Address("Oak", None)
    session.execute(insert, (1, a, [a, b]))
    home, more = session.execute("SELECT home, more FROM users WHERE k = 1").one()
    expect((home, more), (a, [a, b]))
    eventually(lambda: list(cluster.metadata.keyspaces[KS].user_types["address"].field_names), ["street", "zip"])


@check
def null_unset_empty():
    session.execute("CREATE TABLE nulls (k int PRIMARY KEY, a text, b int, c blob)")
    insert = session.prepare("INSERT INTO nulls (k, a, b, c) VALUES (?, ?, ?, ?)")
    read = session.prepare("SELECT a, b, c FROM nulls WHERE k = ?")
    session.execute(insert, (1, "x", 2, b"\x03"))
    session.execute(insert, (1, None, UNSET_VALUE, b""))
    expect(session.execute(read, (1,)).one(), (None, 2, b""))
    session.execute(insert, (1, "", None))  # what is missing is unset
    expect(session.execute(read, (1,)).one(), ("", None, b""))
    session.execute(insert, (2,))
    expect(session.execute(read, (2,)).one(), (None, None, None))
    session.execute("UPDATE nulls SET a = null, c = null WHERE k = 1")
    expect(session.execute(read, (1,)).one(), (None, None, None))
    expect_error(InvalidRequest, "null", lambda: session.execute(insert, (None, "x", 1, b"")))


@check
def pages():
    session.execute("CREATE TABLE paged (k int, c int, v text, PRIMARY KEY (k, c))")
    insert = session.prepare("INSERT INTO paged (k, c, v) VALUES (?, ?, ?)")
    half = ROWS // 2
    rows = [(0, i, str(i)) if i < half else (i // 10, i % 10, str(i)) for i in range(ROWS)]
    group = 100
    batches = []
    for at in range(0, ROWS, group):
        b = BatchStatement(batch_type=BatchType.UNLOGGED)
        for r in rows[at:at + group]:
            b.add(insert, r)
        batches.append(b)
    pending = []
    for b in batches:
        pending.append(session.execute_async(b))
        if len(pending) == 32:
            for p in pending:
                p.result()
            pending = []
    for p in pending:
        p.result()
    got = {int(v) for _, _, v in session.execute(SimpleStatement("SELECT k, c, v FROM paged", fetch_size=997))}
    expect(len(got), ROWS)
    for order in ("ASC", "DESC"):
        read = session.prepare("SELECT c FROM paged WHERE k = ? ORDER BY c " + order)
        read.fetch_size = 5000
        got = [c for c, in session.execute(read, (0,))]
        expect(got == sorted(range(half), reverse=order == "DESC"), True, order)
    # By hand, in another connection.
    state, count = None, 0
    while True:
        r = session.execute(SimpleStatement("SELECT c FROM paged WHERE k = 0", fetch_size=7000), paging_state=state)
        count += len(r.current_rows)
        state = r.paging_state
        if not state:
            break
    expect(count, half)
    expect(session.execute("SELECT COUNT(*) FROM paged").one()[0], ROWS)
    low, high = -2**63, 0
    n = sum(1 for _ in session.execute("SELECT k FROM paged WHERE token(k) > %d AND token(k) <= %d" % (low, high)))
    n += sum(1 for _ in session.execute("SELECT k FROM paged WHERE token(k) > %d" % high))
    expect(n, ROWS, "token ranges")


@check
def token_of_keys():
    """The driver's token of a key is the server's."""
    session.execute("CREATE TABLE tokens (k blob PRIMARY KEY)")
    insert = session.prepare("INSERT INTO tokens (k) VALUES (?)")
    keys = [bytes((i * 37 + j * 91) & 255 for j in range(i)) for i in range(1, 60)]
    for k in keys:
        session.execute(insert, (k,))
    token = cluster.metadata.token_map.token_class
    for k, t in session.execute("SELECT k, token(k) FROM tokens"):
        expect(t, token.from_key(k).value, k)


@check
def batches():
    session.execute("CREATE TABLE b1 (k int, c int, v text, PRIMARY KEY (k, c))")
    session.execute("CREATE TABLE b2 (k int PRIMARY KEY, v text)")
    insert = session.prepare("INSERT INTO b1 (k, c, v) VALUES (?, ?, ?)")
    for i, kind in enumerate((BatchType.LOGGED, BatchType.UNLOGGED)):
        b = BatchStatement(batch_type=kind)
        b.add(insert, (i, 1, "prepared"))
        b.add(SimpleStatement("INSERT INTO b1 (k, c, v) VALUES (%s, %s, %s)"), (i, 2, "simple"))
        b.add("UPDATE b2 SET v = 'other table' WHERE k = %d" % i)
        session.execute(b)
        expect(session.execute("SELECT c, v FROM b1 WHERE k = %d" % i).all(), [(1, "prepared"), (2, "simple")])
        expect(session.execute("SELECT v FROM b2 WHERE k = %d" % i).one(), ("other table",))
    session.execute(BatchStatement())  # nothing at all


@check
def ten_thousand_requests():
    session.execute("CREATE TABLE many (k int PRIMARY KEY, v text)")
    insert = session.prepare("INSERT INTO many (k, v) VALUES (?, ?)")
    read = session.prepare("SELECT v FROM many WHERE k = ?")
    for ok, e in execute_concurrent_with_args(session, insert, [(i, "value %d" % i) for i in range(10000)], concurrency=1000):
        expect(ok, True, e)
    out = execute_concurrent_with_args(session, read, [(i,) for i in range(10000)], concurrency=1000)
    expect([r.result_or_exc.one()[0] for r in out] == ["value %d" % i for i in range(10000)], True)


@check
def errors():
    session.execute("CREATE TABLE e (k int, c int, v text, PRIMARY KEY (k, c))")
    for kind, says, text in (
            (SyntaxException, "no viable alternative at input 'SELEC'", "SELEC * FROM e"),
            (InvalidRequest, "table none does not exist", "SELECT * FROM none"),
            (InvalidRequest, "Undefined column name x", "SELECT x FROM e"),
            (InvalidRequest, "ALLOW FILTERING", "SELECT * FROM e WHERE v = 'x'"),
            (InvalidRequest, "Some clustering keys are missing: c", "INSERT INTO e (k) VALUES (1)"),
            (InvalidRequest, "nokeyspace", "USE nokeyspace"),
            (AlreadyExists, "", "CREATE TABLE e (k int PRIMARY KEY)"),
            (AlreadyExists, "", "CREATE KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}" % KS),
            (ConfigurationException, "", "CREATE KEYSPACE x WITH replication = {'class': 'NoStrategy'}"),
            (Unauthorized, "", "DROP TABLE system_schema.tables"),
    ):
        expect_error(kind, says, lambda: session.execute(text))
    expect_error(InvalidRequest, "", lambda: session.prepare("SELECT * FROM none"))
    if not os.environ.get("ILION_TEST_ADDRESS"):
        expect_error(InvalidRequest, "onditional", lambda: session.execute("INSERT INTO e (k, c) VALUES (1, 1) IF NOT EXISTS"))


@check
def request_too_long():
    """It is refused, and the connection goes on."""
    insert = session.prepare("INSERT INTO e (k, c, v) VALUES (1, 1, ?)")
    expect_error(InvalidRequest, "", lambda: session.execute(insert, ("x" * (17 << 20),)))
    session.execute(insert, ("x" * (8 << 20),))
    expect(len(session.execute("SELECT v FROM e WHERE k = 1 AND c = 1").one()[0]), 8 << 20)


@check
def prepared_again():
    """What was prepared follows a table that changes or comes again."""
    session.execute("CREATE TABLE again (k int PRIMARY KEY, v text)")
    insert = session.prepare("INSERT INTO again (k, v) VALUES (?, ?)")
    star = session.prepare("SELECT * FROM again WHERE k = ?")
    session.execute(insert, (1, "a"))
    expect(session.execute(star, (1,)).one(), (1, "a"))
    session.execute("ALTER TABLE again ADD w int")
    session.execute("UPDATE again SET w = 5 WHERE k = 1")
    if VERSION >= 5:
        expect(session.execute(star, (1,)).one(), (1, "a", 5))
    session.execute("DROP TABLE again")
    expect_error(InvalidRequest, "", lambda: session.execute(insert, (1, "a")))
    session.execute("CREATE TABLE again (k int PRIMARY KEY, v text)")
    session.execute(insert, (1, "b"))
    expect(session.execute("SELECT * FROM again").all(), [(1, "b")])


@check
def deletions():
    session.execute("CREATE TABLE d (k int, c int, s text static, v text, PRIMARY KEY (k, c))")
    insert = session.prepare("INSERT INTO d (k, c, v) VALUES (?, ?, ?)")

    def left():
        return [c for c, in session.execute("SELECT c FROM d WHERE k = 1")]

    for c in range(10):
        session.execute(insert, (1, c, str(c)))
    session.execute("DELETE FROM d WHERE k = 1 AND c = 4")
    session.execute(session.prepare("DELETE FROM d WHERE k = ? AND c > ? AND c <= ?"), (1, 4, 6))
    expect(left(), [0, 1, 2, 3, 7, 8, 9])
    session.execute("DELETE v FROM d WHERE k = 1 AND c = 0")
    expect(session.execute("SELECT v FROM d WHERE k = 1 AND c = 0").one(), (None,))
    session.execute("UPDATE d SET s = 'shared' WHERE k = 1")
    expect(session.execute("SELECT DISTINCT k, s FROM d").all(), [(1, "shared")])
    session.execute("DELETE FROM d WHERE k = 1")
    expect(left(), [])
    session.execute("TRUNCATE d")


@check
def ttl_and_writetime():
    session.execute("CREATE TABLE t (k int PRIMARY KEY, v text)")
    session.execute("INSERT INTO t (k, v) VALUES (1, 'x') USING TTL 100000 AND TIMESTAMP 1234567")
    ttl, stamp = session.execute("SELECT TTL(v), WRITETIME(v) FROM t WHERE k = 1").one()
    expect((99000 < ttl <= 100000, stamp), (True, 1234567))
    session.execute(session.prepare("INSERT INTO t (k, v) VALUES (?, ?) USING TTL ?"), (2, "x", 1))
    eventually(lambda: session.execute("SELECT * FROM t WHERE k = 2").one(), None)
    # The driver stamps its writes; a later stamp wins.
    session.execute("INSERT INTO t (k, v) VALUES (3, 'future') USING TIMESTAMP 9000000000000000")
    session.execute("INSERT INTO t (k, v) VALUES (3, 'now')")
    expect(session.execute("SELECT v FROM t WHERE k = 3").one(), ("future",))


@check
def json_and_events():
    expect(session.execute("SELECT JSON k, v FROM t WHERE k = 1").one(), ('{"k": 1, "v": "x"}',))
    other = connect()
    s = other.connect()
    s.execute("CREATE TABLE %s.by_another (k int PRIMARY KEY)" % KS)
    eventually(lambda: "by_another" in cluster.metadata.keyspaces[KS].tables, True, "event of another client's change")
    other.shutdown()


@check
def drops_the_keyspace():
    session.execute("DROP KEYSPACE " + KS)
    eventually(lambda: KS in cluster.metadata.keyspaces, False)


failed = 0
for f in CHECKS:
    start = time.monotonic()
    try:
        f()
        print("ok   %s, %.1f s" % (f.__name__, time.monotonic() - start), flush=True)
    except Exception as e:
        failed = 1
        print("FAIL", f.__name__, "%s: %s" % (type(e).__name__, e), flush=True)
        if os.environ.get("ILION_TEST_VERBOSE"):
            traceback.print_exc()
cluster.shutdown()
sys.exit(failed)
