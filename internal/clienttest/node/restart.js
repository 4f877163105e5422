// A Node.js client whose server is stopped and started again.
//
//     node restart.js HOST PORT
//
// It prints "written" when its rows are acknowledged, waits for a line on its
// input, which says that the server was restarted, and then wants to go on.
'use strict';

const readline = require('readline');
const cassandra = require('cassandra-driver');

const [host, port] = [process.argv[2], Number(process.argv[3])];
const client = new cassandra.Client({
  contactPoints: [`${host}:${port}`],
  localDataCenter: 'datacenter1',
  socketOptions: { readTimeout: 180000, connectTimeout: 180000 },
  policies: { reconnection: new cassandra.policies.reconnection.ConstantReconnectionPolicy(200) },
});
const insert = 'INSERT INTO node_restart.t (k, v) VALUES (?, ?)';

async function main() {
  await client.connect();
  await client.execute("CREATE KEYSPACE node_restart WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
  await client.execute('CREATE TABLE node_restart.t (k int PRIMARY KEY, v text)');
  const rows = Array.from({ length: 1000 }, (_, k) => [k, 'before']);
  await cassandra.concurrent.executeConcurrent(client, insert, rows);
  console.log('written');
  await new Promise((resolve) => readline.createInterface({ input: process.stdin }).once('line', resolve));
  const end = Date.now() + 300000;
  for (;;) {
    try {
      await client.execute(insert, [1000, 'after'], { prepare: true });
      break;
    } catch (e) {
      if (Date.now() > end) throw e;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const count = (await client.execute('SELECT COUNT(*) FROM node_restart.t')).first().count.toNumber();
  await client.execute('ALTER TABLE node_restart.t ADD w int');
  if (count !== 1001) throw new Error(`${count} rows after the restart, want 1001`);
  console.log('ok   1001 rows after the restart');
  process.exit(0);
}

main().catch((e) => {
  console.log(`FAIL ${e.message}`);
  process.exit(1);
});
