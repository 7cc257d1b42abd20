// A client of played machines, on node-opcua: it has a machine do a job, and says so.
//
// node client.js '{"url":…,"pki":…,"certificate":…,"key":…,"trust":…,"user":…,…}'
"use strict";
const {
  AttributeIds,
  DataType,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAClient,
  SecurityPolicy,
  UserTokenType,
  Variant,
  VariantArrayType,
  resolveNodeId,
} = require("node-opcua");
const { readCertificate } = require("node-opcua-crypto");

const options = JSON.parse(process.argv[2]);
const JOB_CONTROL = "http://opcfoundation.org/UA/ISA95-JOBCONTROL_V2/";
const OURS = "urn:linewright:machines";

async function main() {
  const certificates = new OPCUACertificateManager({
    rootFolder: options.pki,
    automaticallyAcceptUnknownCertificate: false,
  });
  await certificates.initialize();
  await certificates.trustCertificate(readCertificate(options.trust));
  const client = OPCUAClient.create({
    applicationUri: options.uri,
    certificateFile: options.certificate,
    privateKeyFile: options.key,
    clientCertificateManager: certificates,
    securityPolicy: SecurityPolicy.Basic256Sha256,
    securityMode: MessageSecurityMode.SignAndEncrypt,
    endpointMustExist: false,
    connectionStrategy: { maxRetry: 1 },
  });
  await client.connect(options.url);
  const session = await client.createSession({
    type: UserTokenType.UserName, userName: options.user, password: options.password,
  });
  const namespaces = await session.readNamespaceArray();
  const ours = namespaces.indexOf(OURS);
  const jobs = namespaces.indexOf(JOB_CONTROL);
  const at = (...names) => resolveNodeId(`ns=${ours};s=${names.join("|")}`);
  const read = async (...names) =>
    (await session.read({ nodeId: at(...names), attributeId: AttributeIds.Value })).value.value;
  const boot = await read(options.device, "Boot");
  const number = (id, high, low) => ({
    ID: id, value: new Variant({ dataType: DataType.UInt64, arrayType: VariantArrayType.Scalar, value: [high, low] }),
  });
  const text = (id, value) => ({ ID: id, value: new Variant({ dataType: DataType.String, value }) });
  const order = await session.constructExtensionObject(resolveNodeId(`ns=${jobs};i=3008`), {
    jobOrderID: options.job,
    jobOrderParameters: [
      number("version", 0, 1), number("epoch", 0, 1), number("boot", boot[0], boot[1]),
      number("commanded in", 0, 1), text("want", "run"), text("action", options.action),
      text("operation", options.operation),
    ],
    materialRequirements: [
      { materialDefinitionID: options.product, materialSublotID: "0", quantity: "1" },
    ],
  });
  const call = async (method, ...inputArguments) => {
    const result = await session.call({
      objectId: at(options.device, "JobOrders"),
      methodId: at(`${options.device}|JobOrders`, method),
      inputArguments,
    });
    const value = result.outputArguments[0].value;
    return value[0] * 2 ** 32 + value[1];
  };
  const silent = new Variant({ dataType: DataType.LocalizedText, arrayType: VariantArrayType.Array, value: [] });
  const typed = new Variant({ dataType: DataType.ExtensionObject, value: order });
  const said = { first: await call("StoreAndStart", typed, silent) };
  said.again = await call("StoreAndStart", typed, silent);
  for (let i = 0; i < 200 && !said.ended; i += 1) {
    const responses = (await read(options.device, "JobResponses", "JobOrderResponseList")) || [];
    said.ended = responses.map((one) => one.jobOrderID);
    if (!said.ended.includes(options.job)) said.ended = undefined;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const id = new Variant({ dataType: DataType.String, value: options.job });
  said.clear = await call("Clear", id, silent);
  said.late = await call("StoreAndStart", typed, silent);
  await session.close();
  await client.disconnect();
  console.log(JSON.stringify(said));
}

main().then(() => process.exit(0)).catch((error) => {
  console.error(error);
  process.exit(1);
});
