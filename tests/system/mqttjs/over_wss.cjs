// MQTT.js over a WebSocket with TLS: each version, each QoS, there and back. Arguments: the URL, the file of the authority.
'use strict';
const mqtt = require('mqtt');
const fs = require('node:fs');
const assert = require('node:assert/strict');

async function roundTrip(protocolVersion) {
  const client = await mqtt.connectAsync(process.argv[2], { protocolVersion, ca: fs.readFileSync(process.argv[3]), reconnectPeriod: 0 });
  const got = [];
  let all;
  const done = new Promise((resolve) => { all = resolve; });
  client.on('message', (topic, payload) => {
    got.push([topic, payload.length]);
    if (got.length === 6) all();
  });
  await client.subscribeAsync(`js/${protocolVersion}/#`, { qos: 2 });
  const sent = [];
  for (const qos of [0, 1, 2]) {
    for (const size of [5, 80000]) {
      sent.push([`js/${protocolVersion}/${qos}`, size]);
      await client.publishAsync(`js/${protocolVersion}/${qos}`, 'x'.repeat(size), { qos });
    }
  }
  await done;
  assert.deepEqual(got, sent);
  await client.endAsync();
}

(async () => {
  for (const version of [4, 5]) await roundTrip(version);
  console.log('well');
})().catch((error) => { console.error(error); process.exit(1); });
