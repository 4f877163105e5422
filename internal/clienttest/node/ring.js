// A Node.js client of a ring, token aware: see ../python/ring.py.
//
//     node ring.js HOST PORT REQUESTS
'use strict';

const readline = require('readline');
const cassandra = require('cassandra-driver');
const { policies, types } = cassandra;

const [host, port, total] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

class NextHost extends policies.retry.RetryPolicy {
  next(info) {
    return info.nbRetry < 2 ? this.retryResult(undefined, false) : this.rethrowResult();
  }
  onReadTimeout(info) { return this.next(info); }
  onWriteTimeout(info) { return this.next(info); }
  onUnavailable(info) { return this.next(info); }
  onRequestError(info) { return this.next(info); }
}

const client = new cassandra.Client({
  contactPoints: [host],
  localDataCenter: 'dc1',
  // The driver reads system.peers, which has no ports, and takes this port for
  // all hosts: the port of a contact point is that contact point's only.
  protocolOptions: { port },
  socketOptions: { readTimeout: 60000, connectTimeout: 30000 },
  policies: {
    loadBalancing: new policies.loadBalancing.TokenAwarePolicy(new policies.loadBalancing.DCAwareRoundRobinPolicy('dc1')),
    reconnection: new policies.reconnection.ConstantReconnectionPolicy(200),
    retry: new NextHost(),
  },
});

// Every type that a partition key can have, and keys of several columns.
const mixed = (i) => BigInt.asIntN(64, BigInt(i + 1) * 0x9e3779b97f4a7c15n);
const bytes = (i) => Buffer.from(Array.from({ length: (i % 40) + 1 }, (_, at) => (251 - (i >> 8) - i * at) & 255));
const uuid = (i, version) => `${(0xf0000000 + i).toString(16)}-8001-${version}1ff-80c8-e2${i.toString(16).padStart(10, '0')}`;
const kinds = {
  asciis: ['k ascii', (i) => [`key ${i}`]],
  bigints: ['k bigint', (i) => [types.Long.fromString(mixed(i).toString())]],
  blobs: ['k blob', (i) => [bytes(i)]],
  booleans: ['k boolean', (i) => [i % 2 === 1]],
  dates: ['k date', (i) => [new types.LocalDate(i * (i % 2 ? -1 : 1))]],
  decimals: ['k decimal', (i) => [types.BigDecimal.fromString(`${mixed(i)}.${i}`)]],
  doubles: ['k double', (i) => [Number(mixed(i)) / 3]],
  floats: ['k float', (i) => [-i / 4]],
  inets: ['k inet', (i) => [types.InetAddress.fromString(i % 2 ? `192.0.2.${i % 256}` : `2001:db8::${i.toString(16)}`)]],
  ints: ['k int', (i) => [Number(BigInt.asIntN(32, mixed(i)))]],
  smallints: ['k smallint', (i) => [i - 200]],
  texts: ['k text', (i) => [`schl\u00fcssel ${i} \u4e16\u754c`]],
  times: ['k time', (i) => [types.LocalTime.fromMilliseconds(i * 7, 999)]],
  timestamps: ['k timestamp', (i) => [new Date(1700000000000 * (i % 2 ? -1 : 1) + i)]],
  timeuuids: ['k timeuuid', (i) => [types.TimeUuid.fromString(uuid(i, 1))]],
  tinyints: ['k tinyint', (i) => [(i % 256) - 128]],
  uuids: ['k uuid', (i) => [types.Uuid.fromString(uuid(i, 4))]],
  varints: ['k varint', (i) => [types.Integer.fromString((mixed(i) ** 3n).toString())]],
  lists: ['k frozen<list<int>>', (i) => [[i, -i]]],
  sets: ['k frozen<set<text>>', (i) => [[`a${i}`, `\u00fc${i}`]]],
  maps: ['k frozen<map<text, int>>', (i) => [{ a: i, b: -i }]],
  tuples: ['k frozen<tuple<int, text>>', (i) => [new types.Tuple(-i, `part ${i}`)]],
  udts: ['k frozen<pair>', (i) => [{ a: -i, b: `part ${i}` }]],
  vectors: ['k vector<float, 3>', (i) => [new types.Vector(new Float32Array([i, -i, 0.5]))]],
  pairs: ['k int, l text', (i) => [i, `part ${i}`]],
  triples: ['k blob, l bigint, m text', (i) => [bytes(i), types.Long.fromString(mixed(i).toString()), i % 3 ? `\u00fc${i}` : '']],
};
const statements = Object.entries(kinds).map(([name, [columns, key]]) => {
  const names = [...columns.matchAll(/\b([klm]) /g)].map((c) => c[1]);
  return {
    create: `CREATE TABLE IF NOT EXISTS node_ring.${name} (${columns}, v int, PRIMARY KEY ((${names.join(', ')})))`,
    insert: `INSERT INTO node_ring.${name} (${names.join(', ')}, v) VALUES (${names.map(() => '?').join(', ')}, ?)`,
    select: `SELECT v FROM node_ring.${name} WHERE ${names.map((n) => `${n} = ?`).join(' AND ')}`,
    key,
  };
});

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function say(word) {
  console.log(word);
  const line = await lines.next();
  if (line.done) throw new Error('nobody says what is next');
  return line.value.trim();
}
const pause = () => new Promise((done) => setTimeout(done, 50));
const prepared = { prepare: true, isIdempotent: true, consistency: types.consistencies.one };

// Executes again and again: nodes that come and go, or have no time, refuse or are late.
async function execute(...args) {
  for (const end = Date.now() + 300000; ;) {
    try {
      return await client.execute(...args);
    } catch (e) {
      if (Date.now() > end) throw e;
      await pause();
    }
  }
}

async function requests(n) {
  for (let i = 0; i < n / 2; i++) {
    const s = statements[i % statements.length];
    const key = s.key(Math.floor(i / statements.length));
    await execute(s.insert, [...key, i], prepared);
    await execute(s.select, key, prepared);
  }
}

async function main() {
  await client.connect();
  await execute("CREATE KEYSPACE IF NOT EXISTS node_ring WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 2}");
  await execute('CREATE TYPE IF NOT EXISTS node_ring.pair (a int, b text)');
  for (const s of statements) await execute(s.create);
  do {
    while (client.hosts.values().filter((h) => h.isUp()).length < 6) await pause();
    // Statements are prepared and pools are there once all hosts have answered.
    for (const used = new Set(); used.size < 6;) {
      for (const s of statements) used.add((await execute(s.select, s.key(0), prepared)).info.queriedHost);
      used.add((await execute('SELECT host_id FROM system.local')).info.queriedHost);
    }
    await say('ready');
    await requests(total);
  } while (await say(`done ${Math.floor(total / 2) * 2}`) === 'again');
  await requests(400);
  const victim = await say('went on');
  for (let back = false; !back;) {
    for (let i = 0; i < 200; i++) {
      const s = statements[i % statements.length];
      const used = (await execute(s.select, s.key(i), prepared)).info.queriedHost;
      if (used.startsWith(`${victim}:`)) back = true;
    }
    if (!back) await pause();
  }
  await say('returned');
  await client.shutdown();
}

main().then(() => process.exit(0), (e) => { console.error(e); process.exit(1); });
