// MQTT.js, in 3.1.1 and 5, over TCP or (MQTT_PROTOCOL=ws) WebSocket. OPEN_PORT: a broker open to all; AUTH_PORT: one with the users and rules of broker.py.
'use strict';
const mqtt = require('mqtt');
const assert = require('node:assert/strict');

const slow = Number(process.env.ARENA_SLOW || 1);
const openPort = Number(process.env.OPEN_PORT);
const authPort = Number(process.env.AUTH_PORT);
const tests = [];
let counter = 0;
const unique = (prefix) => `${prefix}${++counter}`;
const add = (name, run) => tests.push({ name, run });

function withDeadline(promise, what, ms = 5000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not happen in time: ${what}`)), ms * slow);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A client whose events can be waited for.
class Client {
  constructor(version, options = {}) {
    this.version = version;
    this.messages = [];
    this.waiting = [];
    const { port = openPort, ...rest } = options;
    this.id = rest.clientId ?? unique('mqttjs');
    this.client = mqtt.connect({
      protocol: process.env.MQTT_PROTOCOL || 'mqtt', path: '/mqtt', host: '127.0.0.1', port, protocolVersion: version, clientId: this.id, reconnectPeriod: 0, clean: true,
      connectTimeout: 5000 * slow, ...rest,
    });
    this.client.on('error', () => {});
    this.client.on('message', (topic, payload, packet) => {
      const message = { topic, payload: payload.toString(), packet };
      const waiter = this.waiting.shift();
      if (waiter) waiter(message); else this.messages.push(message);
    });
    this.disconnected = new Promise((resolve) => { this.client.on('disconnect', resolve); });
    this.closed = new Promise((resolve) => { this.client.on('close', resolve); });
    this.connected = new Promise((resolve, reject) => {
      this.client.once('connect', resolve);
      this.client.once('error', reject);
    });
    this.connected.catch(() => {});
  }

  static async open(version, options) {
    const made = new Client(version, options);
    made.connack = await withDeadline(made.connected, 'CONNACK');
    return made;
  }

  async subscribe(topic, options = { qos: 0 }) {
    return withDeadline(this.client.subscribeAsync(topic, options), 'SUBACK');
  }

  async publish(topic, payload, options = {}) {
    return withDeadline(this.client.publishAsync(topic, payload, options), 'acknowledgement');
  }

  async next() {
    if (this.messages.length > 0) return this.messages.shift();
    return withDeadline(new Promise((resolve) => this.waiting.push(resolve)), 'a message');
  }

  async expect(topic, payload, fields = {}) {
    const got = await this.next();
    assert.deepEqual([got.topic, got.payload], [topic, payload]);
    for (const [key, value] of Object.entries(fields)) assert.equal(got.packet[key], value, key);
    return got.packet;
  }

  async nothingMore() {
    const marker = unique('js-marker/');
    await this.subscribe(marker);
    await this.publish(marker, 'end');
    await this.expect(marker, 'end');
  }

  async leave() {
    if (this.client.connected) await withDeadline(this.client.endAsync(), 'the end');
    else this.client.end(true);
  }

  async vanish() {
    this.client.stream.destroy();
    await withDeadline(this.closed, 'the end of the connection');
  }
}

const lasting = (version) => (version === 5
  ? { clean: false, properties: { sessionExpiryInterval: 300 } } : { clean: false });

// What was subscribed is left to the session: it ends with a clean start.
async function forget(version, clientId) {
  await (await Client.open(version, { clientId, clean: true })).leave();
}

for (const version of [4, 5]) {
  for (const qos of [0, 1, 2]) {
    add(`v${version} round trip at ${qos}`, async () => {
      const topic = unique('js/');
      const client = await Client.open(version);
      const granted = await client.subscribe(topic, { qos });
      assert.equal(granted[0].qos, qos);
      for (let n = 0; n < 20; n++) await client.publish(topic, String(n), { qos });
      for (let n = 0; n < 20; n++) await client.expect(topic, String(n), { qos, retain: false, dup: false });
      await client.leave();
    });

    add(`v${version} a burst at ${qos} keeps its order`, async () => {
      const topic = unique('js/');
      const client = await Client.open(version);
      await client.subscribe(topic, { qos });
      // MQTT.js does not keep to the broker's receive maximum by itself.
      const atOnce = qos > 0 ? Math.min(client.connack.properties?.receiveMaximum ?? 20, 20) : 200;
      for (let from = 0; from < 200; from += atOnce) {
        const some = [...Array(Math.min(atOnce, 200 - from)).keys()].map((n) => String(from + n));
        await Promise.all(some.map((payload) => client.publish(topic, payload, { qos })));
      }
      for (let n = 0; n < 200; n++) await client.expect(topic, String(n));
      await client.leave();
    });
  }

  add(`v${version} retained`, async () => {
    const topic = unique('js-kept/');
    const client = await Client.open(version);
    await client.publish(topic, 'kept', { qos: 1, retain: true });
    await client.subscribe(topic, { qos: 1 });
    await client.expect(topic, 'kept', { retain: true, qos: 1 });
    await client.publish(topic, '', { qos: 1, retain: true });
    await client.expect(topic, '', { retain: false });
    await client.leave();
    const late = await Client.open(version);
    await late.subscribe(topic);
    await late.nothingMore();
    await late.leave();
  });

  add(`v${version} will of a client that vanished`, async () => {
    const topic = unique('js-will/');
    const watch = await Client.open(version);
    await watch.subscribe(topic, { qos: 1 });
    const victim = await Client.open(version, { will: { topic, payload: Buffer.from('gone'), qos: 1, retain: false } });
    await victim.vanish();
    await watch.expect(topic, 'gone', { qos: 1 });
    await watch.leave();
  });

  add(`v${version} no will after DISCONNECT`, async () => {
    const topic = unique('js-will/');
    const watch = await Client.open(version);
    await watch.subscribe(topic, { qos: 1 });
    const polite = await Client.open(version, { will: { topic, payload: Buffer.from('gone'), qos: 1, retain: false } });
    await polite.leave();
    await watch.nothingMore();
    await watch.leave();
  });

  add(`v${version} a session waits`, async () => {
    const topic = unique('js-session/');
    const first = await Client.open(version, lasting(version));
    assert.equal(first.connack.sessionPresent, false);
    await first.subscribe(topic, { qos: 1 });
    await first.leave();
    const other = await Client.open(version);
    for (let n = 0; n < 10; n++) await other.publish(topic, String(n), { qos: 1 });
    await other.leave();
    const second = await Client.open(version, { clientId: first.id, ...lasting(version) });
    assert.equal(second.connack.sessionPresent, true);
    for (let n = 0; n < 10; n++) await second.expect(topic, String(n), { qos: 1 });
    await second.nothingMore();
    await second.leave();
    await forget(version, first.id);
  });

  add(`v${version} take-over`, async () => {
    const first = await Client.open(version);
    const second = await Client.open(version, { clientId: first.id });
    if (version === 5) assert.equal((await withDeadline(first.disconnected, 'DISCONNECT')).reasonCode, 0x8e);
    await withDeadline(first.closed, 'the end of the older connection');
    await second.nothingMore();
    await second.leave();
  });

  add(`v${version} shared subscription`, async () => {
    const topic = unique('js-shared/');
    const members = [await Client.open(version), await Client.open(version)];
    for (const member of members) await member.subscribe(`$share/js/${topic}`, { qos: 1 });
    const other = await Client.open(version);
    for (let n = 0; n < 20; n++) await other.publish(topic, String(n), { qos: 1 });
    const until = Date.now() + 5000 * slow;
    const count = () => members[0].messages.length + members[1].messages.length;
    while (count() < 20 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
    const seen = members.flatMap((m) => m.messages.map((message) => Number(message.payload)));
    assert.deepEqual(seen.sort((a, b) => a - b), [...Array(20).keys()]);
    assert.ok(members.every((m) => m.messages.length > 0), 'both members had some');
    for (const client of [...members, other]) await client.leave();
  });

  add(`v${version} unsubscribing`, async () => {
    const topic = unique('js/');
    const client = await Client.open(version);
    await client.subscribe(topic);
    await withDeadline(client.client.unsubscribeAsync(topic), 'UNSUBACK');
    await client.publish(topic, 'x');
    await client.nothingMore();
    await client.leave();
  });

  add(`v${version} the right password`, async () => {
    const client = await Client.open(version, { port: authPort, username: 'bob', password: 'builder' });
    const granted = await client.subscribe('news/#', { qos: 1 });
    assert.equal(granted[0].qos, 1);
    await client.leave();
  });

  add(`v${version} a wrong password`, async () => {
    const client = new Client(version, { port: authPort, username: 'bob', password: 'wrong' });
    const error = await withDeadline(client.connected.then(() => null, (e) => e), 'refusal');
    assert.ok(error, 'refused');
    assert.ok((version === 5 ? [0x86, 0x87] : [4, 5]).includes(error.code), `code ${error.code}`);
    await client.leave();
  });

  add(`v${version} subscribing denied`, async () => {
    const client = await Client.open(version, { port: authPort, username: 'bob', password: 'builder' });
    const code = await client.subscribe('drop/#', { qos: 1 })
      .then((granted) => granted[0].qos, (error) => error.code ?? error.packet?.granted?.[0] ?? String(error));
    assert.ok([0x80, 0x87].includes(code), `answer ${code}`);
    await client.leave();
  });

  add(`v${version} publishing denied`, async () => {
    const alice = await Client.open(version, { port: authPort, username: 'alice', password: 'wonder' });
    const bob = await Client.open(version, { port: authPort, username: 'bob', password: 'builder' });
    await alice.subscribe('news/#', { qos: 1 });
    const denied = await bob.publish('news/js', 'fake', { qos: 1 }).then(() => null, (error) => error);
    if (version === 5) assert.equal(denied?.code, 0x87);
    await alice.publish('news/js', 'true', { qos: 1 });
    await alice.expect('news/js', 'true');
    await alice.leave();
    await bob.leave();
  });
}

// Version 5 alone

add('v5 properties pass through', async () => {
  const topic = unique('js/');
  const client = await Client.open(5);
  await client.subscribe(topic);
  const properties = { payloadFormatIndicator: true, contentType: 'application/json', responseTopic: 'back',
    correlationData: Buffer.from([0, 1, 255]), userProperties: { a: ['1', '2'], b: '3' }, messageExpiryInterval: 60 };
  await client.publish(topic, '{}', { properties });
  const got = (await client.expect(topic, '{}')).properties;
  assert.equal(got.contentType, 'application/json');
  assert.equal(got.responseTopic, 'back');
  assert.equal(got.payloadFormatIndicator, true);
  assert.deepEqual(got.correlationData, properties.correlationData);
  assert.deepEqual({ ...got.userProperties }, properties.userProperties);
  assert.ok(got.messageExpiryInterval >= 58 && got.messageExpiryInterval <= 60);
  await client.leave();
});

add('v5 no local', async () => {
  const topic = unique('js/');
  const client = await Client.open(5);
  await client.subscribe(topic, { qos: 1, nl: true });
  await client.publish(topic, 'mine', { qos: 1 });
  await client.nothingMore();
  await client.leave();
});

for (const [rh, times] of [[0, [1, 1]], [1, [1, 0]], [2, [0, 0]]]) {
  add(`v5 retain handling ${rh}`, async () => {
    const topic = unique('js-rh/');
    const client = await Client.open(5);
    await client.publish(topic, 'kept', { qos: 1, retain: true });
    for (const wanted of times) {
      await client.subscribe(topic, { qos: 1, rh });
      if (wanted) await client.expect(topic, 'kept', { retain: true });
      await client.nothingMore();
    }
    await client.publish(topic, '', { qos: 1, retain: true });
    await client.leave();
  });
}

add('v5 retain as published', async () => {
  const topic = unique('js-rap/');
  const client = await Client.open(5);
  await client.subscribe(topic, { qos: 1, rap: true });
  await client.publish(topic, 'x', { qos: 1, retain: true });
  await client.expect(topic, 'x', { retain: true });
  await client.publish(topic, '', { qos: 1, retain: true });
  await client.leave();
});

add('v5 subscription identifier', async () => {
  const topic = unique('js/');
  const client = await Client.open(5);
  await client.subscribe(topic, { qos: 1, properties: { subscriptionIdentifier: 42 } });
  await client.publish(topic, 'x', { qos: 1 });
  const id = (await client.expect(topic, 'x')).properties.subscriptionIdentifier;
  assert.deepEqual([id].flat(), [42]);
  await client.leave();
});

add('v5 topic aliases both ways', async () => {
  const topic = unique('js-alias/');
  const client = await Client.open(5, { autoUseTopicAlias: true, autoAssignTopicAlias: true,
    properties: { topicAliasMaximum: 5 } });
  await client.subscribe(topic, { qos: 1 });
  for (let n = 0; n < 5; n++) await client.publish(topic, String(n), { qos: 1 });
  for (let n = 0; n < 5; n++) await client.expect(topic, String(n));
  await client.leave();
});

add('v5 will with delay', async () => {
  const topic = unique('js-will/');
  const watch = await Client.open(5);
  await watch.subscribe(topic);
  const victim = await Client.open(5, { properties: { sessionExpiryInterval: 60 }, will: { topic,
    payload: Buffer.from('late'), qos: 0, retain: false, properties: { willDelayInterval: 1, contentType: 'w' } } });
  await victim.vanish();
  await watch.nothingMore();
  assert.equal((await watch.expect(topic, 'late')).properties.contentType, 'w');
  await watch.leave();
});

add('v5 client id assigned', async () => {
  const client = await Client.open(5, { clientId: '' });
  assert.ok(client.connack.properties.assignedClientIdentifier);
  await client.leave();
});

add('v5 maximum packet size of the client', async () => {
  const topic = unique('js-max/');
  const client = await Client.open(5, { properties: { maximumPacketSize: 100 } });
  await client.subscribe(topic, { qos: 1 });
  const other = await Client.open(5);
  await other.publish(topic, 'x'.repeat(200), { qos: 1 });
  await other.publish(topic, 'fits', { qos: 1 });
  await client.expect(topic, 'fits');
  await client.leave();
  await other.leave();
});

async function main() {
  let passed = 0;
  let failed = 0;
  for (const { name, run } of tests) {
    const start = Date.now();
    try {
      await withDeadline(run(), 'the test', 15000);
      passed += 1;
      console.log(`ok ${name} (${((Date.now() - start) / 1000).toFixed(2)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`not ok ${name}: ${String(error?.stack ?? error).split('\n').slice(0, 8).join('\n    ')}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed || !passed ? 1 : 0);
}

main();
