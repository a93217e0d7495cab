// kafkajs: kafkajs.js SERVER produce|group|admin|transactions TOPIC; exit 0 when all was as it has to be.
// kafkajs reads only in groups, so `produce` reads nothing back: the offsets are asked for.
const { Kafka, logLevel } = require("kafkajs");

const [server, part, topic] = process.argv.slice(2);
const kafka = new Kafka({ clientId: "kafkajs", brokers: [server], logLevel: logLevel.ERROR, retry: { retries: 5 } });
const want = Array.from({ length: 500 }, (_, i) => ({ key: `key ${i}`, value: `value ${i}` }));

function must(good, ...what) {
  if (!good) throw new Error(`kafkajs ${part}: ${what.join(" ")}`);
}

async function produce() {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (let i = 0; i < 500; i += 100)
    await producer.send({ topic, messages: want.slice(i, i + 100).map((m) => ({ ...m, partition: 0 })) });
  await producer.disconnect();
}

async function partProduce(admin) {
  await produce();
  const offsets = await admin.fetchTopicOffsets(topic);
  must(offsets[0].low === "0" && offsets[0].high === "500", "offsets", JSON.stringify(offsets));
}

async function partGroup(admin) {
  await produce();
  const consumer = kafka.consumer({ groupId: `${topic}-g` });
  const got = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise((done, fail) => {
    setTimeout(() => fail(new Error(`kafkajs: consumed ${got.length}`)), 30000).unref();
    consumer.run({
      eachMessage: async ({ message }) => {
        got.push(`${message.key} ${message.value}`);
        if (got.length === want.length) done();
      },
    });
  });
  must(got.every((text, i) => text === `${want[i].key} ${want[i].value}`), "order");
  await consumer.disconnect();
  const offsets = await admin.fetchOffsets({ groupId: `${topic}-g`, topics: [topic] });
  must(offsets[0].partitions[0].offset === "500", "committed", JSON.stringify(offsets));
  const groups = (await admin.listGroups()).groups.map((group) => group.groupId);
  must(groups.includes(`${topic}-g`), "groups", groups);
  await admin.describeGroups([`${topic}-g`]);
  await admin.deleteGroups([`${topic}-g`]);
}

async function partAdmin(admin) {
  await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1 }] });
  await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
  const found = await admin.fetchTopicMetadata({ topics: [topic] });
  must(found.topics[0].partitions.length === 3, "partitions", found.topics[0].partitions.length);
  await admin.alterConfigs({
    resources: [{ type: 2, name: topic, configEntries: [{ name: "retention.ms", value: "77000" }] }],
  });
  const configs = await admin.describeConfigs({ resources: [{ type: 2, name: topic, configNames: ["retention.ms"] }] });
  must(configs.resources[0].configEntries[0].configValue === "77000", "retention.ms");
  must((await admin.describeCluster()).brokers.length === 1, "brokers");
  must((await admin.listTopics()).includes(topic), "listed");
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "0" }] });
  await admin.deleteTopics({ topics: [topic] });
}

// Its consumer skips what is aborted; the topic is read in a group, like everything by kafkajs.
async function partTransactions(admin) {
  const producer = kafka.producer({ transactionalId: `${topic}-t`, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (const [value, commit] of [["1", true], ["aborted", false], ["2", true]]) {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value, partition: 0 }] });
    await transaction.sendOffsets({
      consumerGroupId: `${topic}-h`,
      topics: [{ topic, partitions: [{ partition: 0, offset: commit ? "7" : "9" }] }],
    });
    await (commit ? transaction.commit() : transaction.abort());
  }
  await producer.disconnect();
  const offsets = await admin.fetchOffsets({ groupId: `${topic}-h`, topics: [topic] });
  must(offsets[0].partitions[0].offset === "7", "the group's offset", JSON.stringify(offsets));
  const consumer = kafka.consumer({ groupId: `${topic}-g`, readUncommitted: false });
  const got = [];
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise((done, fail) => {
    setTimeout(() => fail(new Error(`kafkajs: consumed ${got}`)), 30000).unref();
    consumer.run({
      eachMessage: async ({ message }) => {
        got.push(`${message.value}`);
        if (got.length === 2) done();
      },
    });
  });
  must(got.join() === "1,2", got);
  await consumer.disconnect();
}

async function main() {
  const admin = kafka.admin();
  await admin.connect();
  await { produce: partProduce, group: partGroup, admin: partAdmin, transactions: partTransactions }[part](admin);
  await admin.disconnect();
}

main().then(() => process.exit(0), (problem) => {
  console.error(problem.message);
  process.exit(1);
});
