// Checks of a server with the stock Node.js driver.
//
//     node driver.js HOST PORT
//
// Prints one line per check and leaves with 1 if one failed.
'use strict';

const assert = require('assert');
const cassandra = require('cassandra-driver');
const { types } = cassandra;

const [host, port] = [process.argv[2], Number(process.argv[3])];
const ks = `node_${process.pid}`;
const rows = Number(process.env.ILION_TEST_ROWS || 100000);

const options = (more) => ({
  contactPoints: [`${host}:${port}`],
  localDataCenter: 'datacenter1',
  socketOptions: { readTimeout: 180000, connectTimeout: 180000 },
  ...more,
});
const client = new cassandra.Client(options());
const checks = {};

const prepared = (text, params = [], more = {}) => client.execute(text, params, { prepare: true, ...more });
const simple = (text, params = [], more = {}) => client.execute(text, params, more);

async function expectError(code, says, promise) {
  try {
    await promise;
  } catch (e) {
    assert.strictEqual(e.code, code, `code ${e.code} of ${e.message}`);
    assert.ok(e.message.toLowerCase().includes(says.toLowerCase()), e.message);
    return;
  }
  throw new Error(`no error ${code} ${says}`);
}

const shown = (v) => JSON.stringify(v, (_, x) => (x instanceof Set ? [...x] : x instanceof Map ? Object.fromEntries(x) : x));

checks.connectsAndDowngrades = async () => {
  const h = client.hosts.values();
  assert.strictEqual(h.length, 1);
  assert.strictEqual(h[0].datacenter, 'datacenter1');
  assert.strictEqual(client.controlConnection.protocolVersion, 4);
  assert.ok(client.metadata.tokenizer.constructor.name.includes('Murmur3'));
};

checks.learnsTheSchema = async () => {
  await simple(`CREATE TABLE ${ks}.t (a int, "B" text, c timestamp, d timeuuid, s text static, v map<text, frozen<list<int>>>,
    PRIMARY KEY ((a, "B"), c, d)) WITH CLUSTERING ORDER BY (c DESC, d ASC)`);
  const t = await client.metadata.getTable(ks, 't');
  assert.deepStrictEqual(t.partitionKeys.map((c) => c.name), ['a', 'B']);
  assert.deepStrictEqual(t.clusteringKeys.map((c) => c.name), ['c', 'd']);
  assert.deepStrictEqual(t.clusteringOrder, ['DESC', 'ASC']);
  assert.strictEqual(t.columns.length, 6);
  assert.ok(t.columnsByName.s.isStatic === true || t.staticColumns !== undefined);
  assert.ok(client.metadata.keyspaces.system_schema);
};

checks.nativeTypes = async () => {
  const cases = [
    ['ascii', "'plain'", ['plain', '', 'a'.repeat(70000)]],
    ['bigint', '-42', [types.Long.fromNumber(-42), types.Long.MAX_VALUE, types.Long.MIN_VALUE]],
    ['blob', '0x00ff10', [Buffer.from([0, 255, 16]), Buffer.alloc(0), Buffer.alloc(1 << 20)]],
    ['boolean', 'true', [true, false]],
    ['date', "'2024-02-29'", [types.LocalDate.fromString('2024-02-29'), types.LocalDate.fromString('1969-12-31')]],
    ['decimal', '-12.3400', [types.BigDecimal.fromString('-12.3400')]],
    ['double', '-0.1', [-0.1, Number.MAX_VALUE, 5e-324]],
    ['duration', '1y2mo3w4d5h6m7s8ms9us10ns', [types.Duration.fromString('1y2mo3w4d5h6m7s8ms9us10ns')]],
    ['float', '1.5', [1.5, -0.25]],
    ['inet', "'2001:db8::1'", [types.InetAddress.fromString('2001:db8::1'), types.InetAddress.fromString('192.0.2.7')]],
    ['int', '2147483647', [2147483647, -2147483648]],
    ['smallint', '-32768', [-32768, 32767]],
    ['text', "'grüße, ''世界'''", ["grüße, '世界'", '', '🦀']],
    ['time', "'23:59:59.999999999'", [types.LocalTime.fromString('23:59:59.999999999')]],
    ['timestamp', "'2024-02-29T12:30:00.123Z'", [new Date('2024-02-29T12:30:00.123Z'), new Date(-1)]],
    ['timeuuid', '13814000-1dd2-11b2-8080-808080808080', [types.TimeUuid.fromString('13814000-1dd2-11b2-8080-808080808080')]],
    ['tinyint', '-128', [-128, 127]],
    ['uuid', '123e4567-e89b-42d3-a456-426614174000', [types.Uuid.fromString('123e4567-e89b-42d3-a456-426614174000')]],
    ['varint', '-170141183460469231731687303715884105729', [types.Integer.fromString('-170141183460469231731687303715884105729'), types.Integer.fromInt(128)]],
    ['list<int>', '[3, 1, 2, 1]', [[3, 1, 2, 1]]],
    ['set<text>', "{'b', 'a'}", [['a', 'b']]],
    ['map<text, double>', "{'b': 2, 'a': 1}", [{ a: 1, b: 2 }]],
    ['tuple<int, text>', "(1, 'a')", [new types.Tuple(1, 'a')]],
    ['frozen<map<text, frozen<list<int>>>>', "{'k': [1, 2]}", [{ k: [1, 2] }]],
  ];
  for (const [i, [type, literal, values]] of cases.entries()) {
    const table = `${ks}.n${i}`;
    await simple(`CREATE TABLE ${table} (k int PRIMARY KEY, v ${type})`);
    await simple(`INSERT INTO ${table} (k, v) VALUES (-1, ${literal})`);
    for (const [k, v] of values.entries()) {
      await prepared(`INSERT INTO ${table} (k, v) VALUES (?, ?)`, [k, v]);
    }
    for (let k = -1; k < values.length; k++) {
      const want = shown(values[Math.max(k, 0)]);
      for (const r of [await prepared(`SELECT v FROM ${table} WHERE k = ?`, [k]), await simple(`SELECT v FROM ${table} WHERE k = ${k}`)]) {
        assert.strictEqual(shown(r.rows[0].v), want, `${type} row ${k}`);
      }
    }
  }
};

checks.userTypes = async () => {
  await simple(`CREATE TYPE ${ks}.address (street text, zip int)`);
  await simple(`CREATE TABLE ${ks}.u (k int PRIMARY KEY, home frozen<address>, more list<frozen<address>>)`);
  const home = { street: 'Elm', zip: 12345 };
  await prepared(`INSERT INTO ${ks}.u (k, home, more) VALUES (?, ?, ?)`, [1, home, [home]]);
  const row = (await prepared(`SELECT home, more FROM ${ks}.u WHERE k = ?`, [1])).first();
  assert.strictEqual(shown(row.home), shown(home));
  assert.strictEqual(shown(row.more), shown([home]));
};

checks.nullUnsetEmpty = async () => {
  await simple(`CREATE TABLE ${ks}.nulls (k int PRIMARY KEY, a text, b int, c blob)`);
  const insert = `INSERT INTO ${ks}.nulls (k, a, b, c) VALUES (?, ?, ?, ?)`;
  const read = async () => {
    const r = (await prepared(`SELECT a, b, c FROM ${ks}.nulls WHERE k = 1`)).first();
    return [r.a, r.b, r.c && r.c.length];
  };
  await prepared(insert, [1, 'x', 2, Buffer.from([3])]);
  await prepared(insert, [1, null, types.unset, Buffer.alloc(0)]);
  assert.deepStrictEqual(await read(), [null, 2, 0]);
  await prepared(insert, [1, '', null, types.unset]);
  assert.deepStrictEqual(await read(), ['', null, 0]);
};

checks.pages = async () => {
  await simple(`CREATE TABLE ${ks}.paged (k int, c int, v text, PRIMARY KEY (k, c))`);
  const half = rows / 2;
  const insert = `INSERT INTO ${ks}.paged (k, c, v) VALUES (?, ?, ?)`;
  const place = (i) => (i < half ? [0, i, `${i}`] : [Math.floor(i / 10), i % 10, `${i}`]);
  let next = 0;
  const group = 100;
  await Promise.all(Array.from({ length: 32 }, async () => {
    while (next < rows) {
      const at = next;
      next += group;
      const batch = Array.from({ length: group }, (_, i) => ({ query: insert, params: place(at + i) }));
      await client.batch(batch, { prepare: true, logged: false });
    }
  }));
  const seen = new Set();
  for await (const r of await prepared(`SELECT v FROM ${ks}.paged`, [], { fetchSize: 997 })) {
    seen.add(r.v);
  }
  assert.strictEqual(seen.size, rows);
  let count = 0;
  await new Promise((resolve, reject) => {
    client.eachRow(`SELECT c FROM ${ks}.paged WHERE k = 0 ORDER BY c DESC`, [], { prepare: true, fetchSize: 5000, autoPage: true },
      (n, r) => { if (r.c !== half - 1 - count++) reject(new Error(`row ${n} is ${r.c}`)); },
      (err) => (err ? reject(err) : resolve()));
  });
  assert.strictEqual(count, half);
  let pageState, total = 0;
  do {
    const r = await simple(`SELECT c FROM ${ks}.paged WHERE k = 0`, [], { fetchSize: 7000, pageState });
    total += r.rows.length;
    pageState = r.pageState;
  } while (pageState);
  assert.strictEqual(total, half);
};

checks.batches = async () => {
  await simple(`CREATE TABLE ${ks}.b1 (k int, c int, v text, PRIMARY KEY (k, c))`);
  await simple(`CREATE TABLE ${ks}.b2 (k int PRIMARY KEY, v text)`);
  for (const [k, logged, prepare] of [[0, true, true], [1, false, true], [2, true, false]]) {
    await client.batch([
      { query: `INSERT INTO ${ks}.b1 (k, c, v) VALUES (?, 1, ?)`, params: [k, 'one'] },
      { query: `UPDATE ${ks}.b2 SET v = 'two' WHERE k = ${k}` },
    ], { prepare, logged, hints: [['int', 'text']] });
    assert.strictEqual((await simple(`SELECT v FROM ${ks}.b1 WHERE k = ${k}`)).first().v, 'one');
    assert.strictEqual((await simple(`SELECT v FROM ${ks}.b2 WHERE k = ${k}`)).first().v, 'two');
  }
};

checks.tenThousandRequests = async () => {
  await simple(`CREATE TABLE ${ks}.many (k int PRIMARY KEY, v text)`);
  const all = Array.from({ length: 10000 }, (_, i) => [i, `value ${i}`]);
  const concurrent = cassandra.concurrent.executeConcurrent;
  await concurrent(client, `INSERT INTO ${ks}.many (k, v) VALUES (?, ?)`, all, { concurrencyLevel: 1000 });
  const out = await concurrent(client, `SELECT v FROM ${ks}.many WHERE k = ?`, all.map(([k]) => [k]), { concurrencyLevel: 1000, collectResults: true });
  out.resultItems.forEach((r, i) => assert.strictEqual(r.first().v, `value ${i}`));
};

checks.errors = async () => {
  const { responseErrorCodes: codes } = types;
  await simple(`CREATE TABLE ${ks}.e (k int, c int, v text, PRIMARY KEY (k, c))`);
  for (const [code, says, text] of [
    [codes.syntaxError, "no viable alternative at input 'SELEC'", 'SELEC * FROM e'],
    [codes.invalid, 'table none does not exist', `SELECT * FROM ${ks}.none`],
    [codes.invalid, 'ALLOW FILTERING', `SELECT * FROM ${ks}.e WHERE v = 'x'`],
    [codes.invalid, 'Some clustering keys are missing: c', `INSERT INTO ${ks}.e (k) VALUES (1)`],
    [codes.alreadyExists, '', `CREATE TABLE ${ks}.e (k int PRIMARY KEY)`],
    [codes.configError, '', "CREATE KEYSPACE x WITH replication = {'class': 'NoStrategy'}"],
    [codes.unauthorized, '', 'DROP TABLE system_schema.tables'],
  ]) {
    await expectError(code, says, simple(text));
  }
};

checks.deletionsTTL = async () => {
  await simple(`CREATE TABLE ${ks}.d (k int, c int, s text static, v text, PRIMARY KEY (k, c))`);
  for (let c = 0; c < 10; c++) await prepared(`INSERT INTO ${ks}.d (k, c, v) VALUES (1, ?, 'x') USING TTL 100000`, [c]);
  await prepared(`DELETE FROM ${ks}.d WHERE k = ? AND c > ? AND c <= ?`, [1, 4, 6]);
  await simple(`DELETE FROM ${ks}.d WHERE k = 1 AND c = 0`);
  assert.deepStrictEqual((await simple(`SELECT c FROM ${ks}.d WHERE k = 1`)).rows.map((r) => r.c), [1, 2, 3, 4, 7, 8, 9]);
  const r = (await simple(`SELECT ttl(v) AS t, writetime(v) AS w FROM ${ks}.d WHERE k = 1 AND c = 1`)).first();
  assert.ok(r.t > 99000 && r.t <= 100000 && Math.abs(r.w.toNumber() / 1000 - Date.now()) < 600000, shown(r));
  await simple(`DELETE FROM ${ks}.d WHERE k = 1`);
  assert.strictEqual((await simple(`SELECT * FROM ${ks}.d`)).rowLength, 0);
};

checks.schemaEvents = async () => {
  const other = new cassandra.Client(options());
  await other.connect();
  await client.metadata.getTable(ks, 'd');
  await other.execute(`ALTER TABLE ${ks}.d ADD later int`);
  await other.shutdown();
  const end = Date.now() + 180000;
  while (Date.now() < end) {
    const t = await client.metadata.getTable(ks, 'd');
    if (t.columnsByName.later) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the event of another client did not arrive');
};

async function main() {
  await client.connect();
  await simple(`CREATE KEYSPACE ${ks} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`);
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    const start = Date.now();
    try {
      await check();
      console.log(`ok   ${name}, ${((Date.now() - start) / 1000).toFixed(1)} s`);
    } catch (e) {
      failed = 1;
      console.log(`FAIL ${name} ${e.message}`);
      if (process.env.ILION_TEST_VERBOSE) console.log(e.stack);
    }
  }
  await simple(`DROP KEYSPACE ${ks}`);
  await client.shutdown();
  process.exit(failed);
}

main().catch((e) => {
  console.log(`FAIL ${e.stack}`);
  process.exit(1);
});
