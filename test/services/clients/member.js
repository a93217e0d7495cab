// One member of a consumer group with kafkajs: member.js SERVER TOPIC GROUP, until SIGTERM. Prints "owns P,P,..." with
// each generation and "got PARTITION OFFSET" for each record.
const { Kafka, logLevel } = require("kafkajs");

const [server, topic, groupId] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "kafkajs", brokers: [server], logLevel: logLevel.NOTHING, retry: { retries: 20 } });
const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 500, rebalanceTimeout: 6000 });

consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
  console.log("owns", (payload.memberAssignment[topic] || []).sort().join(",")));
consumer.on(consumer.events.REBALANCING, () => console.log("owns"));

async function main() {
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommitThreshold: 1,
    eachMessage: async ({ partition, message }) => console.log("got", partition, message.offset),
  });
}
process.on("SIGTERM", async () => {
  await consumer.disconnect();
  process.exit(0);
});
main();
