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

const kinds = {
  ints: ['k int', (i) => [i - 500]],
  bigints: ['k bigint', (i) => [types.Long.fromNumber(i * 2 ** 40 + i)]],
  texts: ['k text', (i) => [`schl\u00fcssel ${i}`]],
  blobs: ['k blob', (i) => [Buffer.from([255 - (i % 256), i % 256, 128])]],
  uuids: ['k uuid', (i) => [types.Uuid.fromString(`00000000-0000-4000-8000-${i.toString(16).padStart(12, '0')}`)]],
  pairs: ['k int, l text', (i) => [i, `part ${i}`]],
};
const statements = Object.entries(kinds).map(([name, [columns, key]]) => {
  const names = columns.split(', ').map((c) => c.split(' ')[0]);
  return {
    create: `CREATE TABLE node_ring.${name} (${columns}, v int, PRIMARY KEY ((${names.join(', ')})))`,
    insert: `INSERT INTO node_ring.${name} (${names.join(', ')}, v) VALUES (${names.map(() => '?').join(', ')}, ?)`,
    select: `SELECT v FROM node_ring.${name} WHERE ${names.map((n) => `${n} = ?`).join(' AND ')}`,
    key,
  };
});

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function say(word) {
  console.log(word);
  return ((await lines.next()).value || '').trim();
}
const pause = () => new Promise((done) => setTimeout(done, 50));
const prepared = { prepare: true, isIdempotent: true, consistency: types.consistencies.one };

async function requests(n) {
  for (let i = 0; i < n / 2; i++) {
    const s = statements[i % statements.length];
    await client.execute(s.insert, [...s.key(i), i], prepared);
    await client.execute(s.select, s.key(i), prepared);
  }
}

async function main() {
  await client.connect();
  await client.execute("CREATE KEYSPACE node_ring WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 2}");
  for (const s of statements) await client.execute(s.create);
  while (client.hosts.values().filter((h) => h.isUp()).length < 6) await pause();
  // Statements are prepared and pools are there once all hosts have answered.
  for (const used = new Set(); used.size < 6;) {
    for (const s of statements) used.add((await client.execute(s.select, s.key(0), prepared)).info.queriedHost);
    used.add((await client.execute('SELECT host_id FROM system.local')).info.queriedHost);
  }
  await say('ready');
  await requests(total);
  await say(`done ${Math.floor(total / 2) * 2}`);
  await requests(400);
  const victim = await say('went on');
  for (let back = false; !back;) {
    for (let i = 0; i < 200; i++) {
      const s = statements[i % statements.length];
      const used = (await client.execute(s.select, s.key(i), prepared)).info.queriedHost;
      if (used.startsWith(`${victim}:`)) back = true;
    }
    if (!back) await pause();
  }
  await say('returned');
  await client.shutdown();
}

main().then(() => process.exit(0), (e) => { console.error(e); process.exit(1); });
