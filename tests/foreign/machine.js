// A machine with PackML tags and a handshake by numbers, on node-opcua.
//
// It is written from the description of the tags in the manual, and shares no code with
// the project. Its memory is a file; without one it forgets everything when it ends.
//
// node machine.js '{"port":…,"pki":…,"trust":[…],"memory":…,"work_ms":…,"fails":…}'
"use strict";
const fs = require("fs");
const {
  DataType,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAServer,
  SecurityPolicy,
  StatusCodes,
  Variant,
  VariantArrayType,
} = require("node-opcua");
const { readCertificate } = require("node-opcua-crypto");

const options = JSON.parse(process.argv[2]);
const NONE = 0, RUNNING = 1, HELD = 2, ENDED = 3, CANCELLED = 4;
const RUN = 1, HOLD = 2, CANCEL = 3;

const command = {
  Action: "", Operation: "", Units: "", Epoch: 0, Boot: 0, Want: 0, Version: 0,
  SequenceCopy: 0, Sequence: 0, Acknowledge: 0, EventAcknowledge: 0,
};
let memory = {
  boot: Date.now(), epoch: 0, sequence: 0, version: 0, state: NONE, left_ms: 0,
  units: "", operation: "", n_jobs: 0, events: [], n_events: 0, down: false, done: [],
};
if (options.memory && fs.existsSync(options.memory)) {
  memory = JSON.parse(fs.readFileSync(options.memory, "utf8"));
  memory.boot = Math.max(Date.now(), memory.boot + 1);
  memory.n_events = 0;
  if (memory.state === RUNNING || memory.state === HELD) memory.left_ms = options.work_ms;
  if (memory.down) report("failed");
}

function keep() {
  if (!options.memory) return;
  fs.writeFileSync(options.memory + ".new", JSON.stringify(memory));
  fs.renameSync(options.memory + ".new", options.memory);
}

function report(kind) {
  memory.n_events += 1;
  const number = memory.boot * 1000 + memory.n_events;
  memory.events.push([number, `${kind} ${options.failure}`]);
}

// The control's cycle: look at what was written, and let time pass.
let since = Date.now();
let changes = 0;
function cycle() {
  const now = Date.now();
  const passed = now - since;
  since = now;
  const before = JSON.stringify(memory);
  if (memory.state === RUNNING && !memory.down) {
    memory.left_ms -= passed;
    if (memory.left_ms <= 0) {
      memory.state = ENDED;
      memory.n_jobs += 1;
      // written down before anybody can read that it has ended
      fs.appendFileSync(options.done, JSON.stringify([memory.sequence, memory.units]) + "\n");
      if (options.fails && memory.n_jobs % options.fails === 0) {
        memory.down = true;
        report("failure");
      }
    }
  }
  if (command.Boot === memory.boot && command.Epoch >= memory.epoch) obey();
  if (command.Acknowledge === memory.sequence && memory.state >= ENDED) memory.state = NONE;
  memory.events = memory.events.filter(([number]) => number > command.EventAcknowledge);
  if (JSON.stringify(memory) !== before) {
    if (JSON.stringify({ ...memory, left_ms: 0 }) !== JSON.stringify({ ...JSON.parse(before), left_ms: 0 })) {
      changes += 1;
      keep();
    }
  }
}

function obey() {
  if (command.Sequence === 0 || command.SequenceCopy !== command.Sequence) return;
  const known = command.Sequence === memory.sequence;
  if (known ? command.Version <= memory.version : command.Sequence < memory.sequence) return;
  if (!known && memory.state !== NONE) return;
  if (known && memory.state === NONE) return;
  memory.epoch = command.Epoch;
  memory.version = command.Version;
  if (known && memory.state >= ENDED) return;
  if (!known) {
    memory.sequence = command.Sequence;
    memory.units = command.Units;
    memory.operation = command.Operation;
    memory.left_ms = options.work_ms;
  }
  if (command.Want === RUN) memory.down = false; // who repairs lets it run again
  memory.state = { [RUN]: RUNNING, [HOLD]: HELD, [CANCEL]: CANCELLED }[command.Want];
}

async function main() {
  const certificates = new OPCUACertificateManager({
    rootFolder: options.pki,
    automaticallyAcceptUnknownCertificate: false,
  });
  await certificates.initialize();
  for (const file of options.trust) await certificates.trustCertificate(readCertificate(file));
  const server = new OPCUAServer({
    port: options.port,
    hostname: "127.0.0.1",
    host: "127.0.0.1",
    serverCertificateManager: certificates,
    userCertificateManager: certificates,
    securityPolicies: [SecurityPolicy.Basic256Sha256],
    securityModes: [MessageSecurityMode.SignAndEncrypt],
    allowAnonymous: true,
  });
  await server.initialize();
  const space = server.engine.addressSpace.getOwnNamespace();
  const root = space.addObject({
    organizedBy: server.engine.addressSpace.rootFolder.objects,
    browseName: options.name,
  });
  const folders = {
    Command: space.addObject({ componentOf: root, browseName: "Command" }),
    Status: space.addObject({ componentOf: root, browseName: "Status" }),
  };
  const TYPES = {
    Action: DataType.String, Operation: DataType.String, Units: DataType.String,
    Boot: DataType.UInt64, EventAcknowledge: DataType.UInt64, Want: DataType.Int32,
  };
  const big = (number) => [Math.floor(number / 2 ** 32), number % 2 ** 32];
  const small = (value) => (Array.isArray(value) ? value[0] * 2 ** 32 + value[1] : Number(value));
  for (const name of Object.keys(command)) {
    const dataType = TYPES[name] || DataType.UInt32;
    space.addVariable({
      componentOf: folders.Command,
      browseName: name,
      dataType,
      minimumSamplingInterval: 10,
      value: {
        get: () => {
          const value = dataType === DataType.UInt64 ? big(command[name]) : command[name];
          return new Variant({ dataType, arrayType: VariantArrayType.Scalar, value });
        },
        set: (variant) => {
          command[name] = dataType === DataType.UInt64 ? small(variant.value) : variant.value;
          return StatusCodes.Good;
        },
      },
    });
  }
  const status = (name, dataType, value, more) =>
    space.addVariable({
      componentOf: folders.Status,
      browseName: name,
      dataType,
      minimumSamplingInterval: 10,
      value: {
        get: () =>
          new Variant({ dataType, arrayType: VariantArrayType.Scalar, value: value(), ...more }),
      },
      ...(more ? { valueRank: 1 } : {}),
    });
  status("Boot", DataType.UInt64, () => big(memory.boot));
  status("Sequence", DataType.UInt32, () => memory.sequence);
  status("Version", DataType.UInt32, () => memory.version);
  status("JobState", DataType.Int32, () => memory.state);
  const outcomes = () => new Int32Array(memory.state === ENDED ? memory.units.split("; ").length : 0);
  status("Outcomes", DataType.Int32, outcomes, { arrayType: VariantArrayType.Array });
  status("EventCount", DataType.UInt64, () => big(memory.events.length ? memory.events[0][0] : 0));
  status("Event", DataType.String, () => (memory.events.length ? memory.events[0][1] : ""));
  status("Changes", DataType.UInt32, () => changes);
  status("Clock", DataType.DateTime, () => new Date());
  setInterval(cycle, 10);
  await server.start();
  console.log(JSON.stringify({ certificate: server.certificateFile }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
