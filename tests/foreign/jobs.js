// A machine with the job lists of ISA-95 that measures what it does, on node-opcua.
//
// It is written from the manual and the standard's own nodeset, and shares no code with
// the project. It says values and no verdicts: those follow. What was done to units it
// writes on them (a file of its own, which stays when the machine forgets).
//
// node jobs.js '{"port":…,"nodeset":…,"pki":…,"trust":[…],"memory":…,"done":…,"work_ms":…}'
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
  nodesets,
} = require("node-opcua");
const { readCertificate } = require("node-opcua-crypto");

const options = JSON.parse(process.argv[2]);
const JOB_CONTROL = "http://opcfoundation.org/UA/ISA95-JOBCONTROL_V2/";
const OURS = "urn:linewright:machines";
// what a ReturnStatus says; the high ones are left to the implementation
const [GOOD, UNKNOWN, NOT_ENDED, REFUSED] = [1n << 0n, 1n << 1n, 1n << 3n, 1n << 4n];
const [INVALID, KNOWN, OLD, RESTARTED] = [1n << 32n, 1n << 33n, 1n << 34n, 1n << 35n];
const STATES = { held: [4, "Interrupted"], running: [3, "Running"], ended: [5, "Ended"], cancelled: [6, "Aborted"] };
const STATE_OF = { run: "running", hold: "held", cancel: "cancelled" };

let memory = { boot: Date.now(), epoch: 0, highest: 0, jobs: {}, events: [], n_events: 0, down: false, n_jobs: 0 };
if (fs.existsSync(options.memory)) {
  memory = JSON.parse(fs.readFileSync(options.memory, "utf8"));
  memory.boot = Math.max(Date.now(), memory.boot + 1);
  memory.n_events = 0;
  for (const job of Object.values(memory.jobs)) job.left_ms = options.work_ms; // begun anew
  if (memory.down) report("failed");
}
const units = {}; // job to value, as it stands on the units themselves
if (fs.existsSync(options.done)) {
  for (const line of fs.readFileSync(options.done, "utf8").split("\n").filter(Boolean)) {
    const [number, , value] = JSON.parse(line);
    units[`${options.device}#${number}`] = value;
  }
}

function keep() {
  fs.writeFileSync(options.memory + ".new", JSON.stringify(memory));
  fs.renameSync(options.memory + ".new", options.memory);
}

function report(kind) {
  memory.n_events += 1;
  memory.events.push([memory.boot * 1000 + memory.n_events, `${kind} ${options.failure}`]);
}

const numberOf = (job) => Number(job.split("#").pop());

// Every fifth seam is too thick, whatever the job.
const seam = (number) => (number % 5 === 0 ? 6.5 : 5 + number / 1000);

let since = Date.now();
let tell = () => {};
function cycle() {
  const now = Date.now();
  const passed = now - since;
  since = now;
  if (memory.down) return;
  for (const [id, job] of Object.entries(memory.jobs)) {
    if (job.state !== "running") continue;
    job.left_ms -= passed;
    if (job.left_ms > 0) continue;
    const number = numberOf(id);
    units[id] = seam(number);
    // on the units before anybody can read that it has ended
    fs.appendFileSync(options.done, JSON.stringify([number, job.units, units[id]]) + "\n");
    job.state = "ended";
    memory.n_jobs += 1;
    if (options.fails && memory.n_jobs % options.fails === 0) {
      memory.down = true;
      report("failure");
    }
    keep();
    tell();
  }
}

const small = (value) => (Array.isArray(value) ? value[0] * 2 ** 32 + value[1] : Number(value));

function said(order) {
  const found = {};
  for (const one of order.jobOrderParameters || []) found[one.ID] = one.value.value;
  return found;
}

function put(method, order) {
  const id = order.jobOrderID;
  const { version, want, epoch, boot, action } = said(order);
  if (!(want in STATE_OF) || version === undefined || boot === undefined) return INVALID;
  const known = memory.jobs[id];
  if (small(boot) !== memory.boot) return REFUSED | RESTARTED;
  if (!known && (method === "Update" || !action)) return REFUSED | UNKNOWN;
  if (small(epoch) < memory.epoch) return REFUSED | OLD;
  memory.epoch = small(epoch);
  if (known) {
    if (small(version) <= known.version) return REFUSED | KNOWN;
    known.version = small(version);
    if (known.state === "running" || known.state === "held") known.state = STATE_OF[want];
  } else {
    if (numberOf(id) <= memory.highest) return REFUSED | OLD;
    memory.highest = numberOf(id);
    const material = order.materialRequirements || [];
    memory.jobs[id] = {
      version: small(version),
      state: STATE_OF[want],
      left_ms: options.work_ms,
      units: material.map((one) => [one.materialDefinitionID, Number(one.materialSublotID)]),
    };
  }
  if (want === "run") memory.down = false; // who repairs lets it run again
  keep();
  tell();
  return GOOD;
}

function clear(id) {
  const job = memory.jobs[id];
  if (!job) return UNKNOWN;
  if (job.state !== "ended" && job.state !== "cancelled") return NOT_ENDED;
  delete memory.jobs[id];
  keep();
  return GOOD;
}

const u64 = (number) => [Number(BigInt(number) >> 32n), Number(BigInt(number) & 0xffffffffn)];
const scalar = (dataType, value) => new Variant({ dataType, arrayType: VariantArrayType.Scalar, value });
const array = (dataType, value) => new Variant({ dataType, arrayType: VariantArrayType.Array, value });
const status = (bits) => scalar(DataType.UInt64, u64(bits));

async function main() {
  const certificates = new OPCUACertificateManager({ rootFolder: options.pki, automaticallyAcceptUnknownCertificate: false });
  await certificates.initialize();
  for (const file of options.trust) await certificates.trustCertificate(readCertificate(file));
  const server = new OPCUAServer({
    port: options.port,
    hostname: "127.0.0.1",
    host: "127.0.0.1",
    nodeset_filename: [nodesets.standard, options.nodeset],
    serverCertificateManager: certificates,
    userCertificateManager: certificates,
    securityPolicies: [SecurityPolicy.Basic256Sha256],
    securityModes: [MessageSecurityMode.SignAndEncrypt],
    allowAnonymous: true,
  });
  await server.initialize();
  const { addressSpace } = server.engine;
  const jobs = addressSpace.getNamespaceIndex(JOB_CONTROL);
  const ours = addressSpace.registerNamespace(OURS);
  const type = (name) => addressSpace.findDataType(name, jobs);
  const make = (name, fields) => addressSpace.constructExtensionObject(type(name), fields);
  const parameter = (name, value) => make("ISA95ParameterDataType", { ID: name, value });
  const stateOf = (job) => {
    const [stateNumber, text] = STATES[job.state];
    return make("ISA95StateDataType", { stateText: { text }, stateNumber });
  };

  const root = ours.addObject({ organizedBy: addressSpace.rootFolder.objects, browseName: options.name });
  const receiver = addressSpace.findObjectType("ISA95JobOrderReceiverObjectType", jobs).instantiate({
    browseName: "JobOrders", namespace: ours, componentOf: root,
    optionals: ["Store", "StoreAndStart", "Update", "Clear"],
  });
  const provider = addressSpace.findObjectType("ISA95JobResponseProviderObjectType", jobs).instantiate({
    browseName: "JobResponses", namespace: ours, componentOf: root, optionals: ["JobOrderResponseList"],
  });
  const bind = (method, call) =>
    method.bindMethod((inputs, _, done) => {
      let found;
      try {
        found = call(...inputs.map(({ value }) => value));
      } catch (error) {
        console.error(error);
        found = [status(INVALID)];
      }
      done(null, { statusCode: StatusCodes.Good, outputArguments: found });
    });
  for (const name of ["Store", "StoreAndStart", "Update"]) {
    bind(receiver.getMethodByName(name, jobs), (order) => [status(put(name, order))]);
  }
  bind(receiver.getMethodByName("Clear", jobs), (id) => [status(clear(id))]);

  const serve = (node, get) => node.bindVariable({ get }, true);
  serve(receiver.getComponentByName("JobOrderList", jobs), () =>
    array(DataType.ExtensionObject, Object.entries(memory.jobs).map(([jobOrderID, job]) =>
      make("ISA95JobOrderAndStateDataType", {
        jobOrder: make("ISA95JobOrderDataType", {
          jobOrderID, jobOrderParameters: [parameter("version", scalar(DataType.UInt64, u64(job.version)))],
        }),
        state: [stateOf(job)],
      }))));
  const measured = (id) => [parameter("seam", scalar(DataType.Double, units[id]))];
  serve(provider.getComponentByName("JobOrderResponseList", jobs), () =>
    array(DataType.ExtensionObject, Object.entries(memory.jobs).filter(([, { state }]) => state === "ended").map(([id, job]) =>
      make("ISA95JobResponseDataType", {
        jobResponseID: id, jobOrderID: id, jobState: [stateOf(job)], jobResponseData: measured(id),
      }))));

  const variable = (browseName, dataType, get, more) =>
    ours.addVariable({ componentOf: root, browseName, dataType, minimumSamplingInterval: 10, value: { get }, ...more });
  variable("Boot", DataType.UInt64, () => scalar(DataType.UInt64, u64(memory.boot)));
  variable("Clock", DataType.DateTime, () => scalar(DataType.DateTime, new Date()));
  variable("HasUnitRecord", DataType.Boolean, () => scalar(DataType.Boolean, true));
  variable("Events", DataType.String, () => array(DataType.String, memory.events.map(([number, text]) => `${number} ${text}`)), { valueRank: 1 });
  let changes = 0;
  const counted = ours.addVariable({ componentOf: root, browseName: "Changes", dataType: DataType.UInt32, minimumSamplingInterval: 10 });
  tell = () => { changes += 1; counted.setValueFromSource(scalar(DataType.UInt32, changes)); };
  tell();
  const [text, number] = [{ dataType: DataType.String }, { dataType: DataType.UInt64 }];
  const result = [{ name: "ReturnStatus", ...number }];
  bind(ours.addMethod(root, {
    browseName: "ClearEvents", inputArguments: [{ name: "Number", ...number }, { name: "Boot", ...number }], outputArguments: result,
  }), (upTo, boot) => {
    if (small(boot) !== memory.boot) return [status(REFUSED | RESTARTED)];
    memory.events = memory.events.filter(([one]) => one > small(upTo));
    keep();
    return [status(GOOD)];
  });
  bind(ours.addMethod(root, {
    browseName: "RequestUnitRecord", inputArguments: [{ name: "JobOrderID", ...text }, { name: "Boot", ...number }],
    outputArguments: [
      ...result,
      { name: "IsKnown", dataType: DataType.Boolean },
      { name: "Outcomes", dataType: DataType.Int32, valueRank: 1 },
      { name: "Measured", dataType: type("ISA95ParameterDataType").nodeId, valueRank: 1 },
    ],
  }), (id, boot) => {
    const isRight = small(boot) === memory.boot;
    const isKnown = isRight && id in units;
    return [
      status(isRight ? GOOD : REFUSED | RESTARTED),
      scalar(DataType.Boolean, isKnown),
      array(DataType.Int32, new Int32Array(0)),
      array(DataType.ExtensionObject, isKnown ? measured(id) : []),
    ];
  });
  setInterval(cycle, 10);
  await server.start();
  console.log(JSON.stringify({ certificate: server.certificateFile }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
