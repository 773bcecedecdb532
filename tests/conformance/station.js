// A charging station made of ocpp-rpc in strict mode: every frame it gets or sends is checked against the official schemas of OCPP 2.0.1.
//
// It obeys JSON lines on stdin and reports as JSON lines on stdout. Orders: {"id", "do": "connect" | "call" | "answer" | "close", …};
// each is answered by {"done": id, "result" | "error"}. Besides it reports {"request": action, "params"} for each request it gets,
// {"failure": action, "where", "error"} for each frame that breaks its schema, and {"bad": text} for each that is no frame at all.
"use strict";

const readline = require("readline");
const { RPCClient, createRPCError } = require("ocpp-rpc");

const report = (what) => process.stdout.write(JSON.stringify(what) + "\n");
const now = () => new Date().toISOString();
const accepted = { status: "Accepted" };

let client;

// What it answers: a value, or a function of the request's payload. The pages some answers announce are sent afterwards.
const answers = {
  CancelReservation: accepted,
  CertificateSigned: accepted,
  ChangeAvailability: accepted,
  ClearCache: accepted,
  ClearChargingProfile: accepted,
  ClearDisplayMessage: accepted,
  ClearVariableMonitoring: ({ id }) => ({ clearMonitoringResult: id.map((one) => ({ id: one, status: "Accepted" })) }),
  CostUpdated: {},
  CustomerInformation: accepted,
  DataTransfer: { status: "Accepted", data: { said: ["anything", 1] } },
  DeleteCertificate: accepted,
  GetBaseReport: accepted,
  GetChargingProfiles: accepted,
  GetCompositeSchedule: ({ evseId, duration, chargingRateUnit }) => ({
    status: "Accepted",
    schedule: {
      evseId,
      duration,
      scheduleStart: now(),
      chargingRateUnit: chargingRateUnit ?? "A",
      chargingSchedulePeriod: [{ startPeriod: 0, limit: 16.0, numberPhases: 3 }],
    },
  }),
  GetDisplayMessages: accepted,
  GetInstalledCertificateIds: {
    status: "Accepted",
    certificateHashDataChain: [
      {
        certificateType: "CSMSRootCertificate",
        certificateHashData: { hashAlgorithm: "SHA256", issuerNameHash: "ab", issuerKeyHash: "cd", serialNumber: "1f" },
      },
    ],
  },
  GetLocalListVersion: { versionNumber: 3 },
  GetLog: { status: "Accepted", filename: "log.txt" },
  GetMonitoringReport: accepted,
  GetReport: accepted,
  GetTransactionStatus: { messagesInQueue: false, ongoingIndicator: true },
  GetVariables: ({ getVariableData }) => ({
    getVariableResult: getVariableData.map(({ component, variable }) => ({
      attributeStatus: "Accepted",
      attributeValue: "1",
      component,
      variable,
    })),
  }),
  InstallCertificate: accepted,
  PublishFirmware: accepted,
  RequestStartTransaction: { status: "Accepted", transactionId: "T1" },
  RequestStopTransaction: accepted,
  ReserveNow: accepted,
  Reset: accepted,
  SendLocalList: accepted,
  SetChargingProfile: accepted,
  SetDisplayMessage: accepted,
  SetMonitoringBase: accepted,
  SetMonitoringLevel: accepted,
  SetNetworkProfile: accepted,
  SetVariableMonitoring: ({ setMonitoringData }) => ({
    setMonitoringResult: setMonitoringData.map(({ type, severity, component, variable }, index) => ({
      id: index + 1,
      status: "Accepted",
      type,
      severity,
      component,
      variable,
    })),
  }),
  SetVariables: ({ setVariableData }) => ({
    setVariableResult: setVariableData.map(({ component, variable }) => ({ attributeStatus: "Accepted", component, variable })),
  }),
  TriggerMessage: accepted,
  UnlockConnector: { status: "Unlocked" },
  UnpublishFirmware: { status: "Unpublished" },
  UpdateFirmware: accepted,
};

const inventory = () => [
  { component: { name: "EVSE", evse: { id: 1 } }, variable: { name: "SupplyPhases" }, variableAttribute: [{ value: "3" }] },
  {
    component: { name: "Connector", evse: { id: 1, connectorId: 1 } },
    variable: { name: "AvailabilityState" },
    variableAttribute: [{ value: "Available" }],
  },
  ...[
    ["AuthCacheCtrlr", "Enabled", "true"],
    ["AuthCtrlr", "Enabled", "false"],
    ["AuthCtrlr", "MasterPassGroupId", ""],
    ["LocalAuthListCtrlr", "Enabled", "false"],
    ["LocalAuthListCtrlr", "ItemsPerMessage", "4"],
    ["MonitoringCtrlr", "Enabled", "true"],
  ].map(([component, variable, value]) => ({
    component: { name: component },
    variable: { name: variable },
    variableAttribute: [{ value }],
  })),
  { component: { name: "SmartChargingCtrlr" }, variable: { name: "RateUnit" }, variableAttribute: [{ value: "A,W" }] },
  { component: { name: "SmartChargingCtrlr" }, variable: { name: "ProfileStackLevel" }, variableAttribute: [{ value: "5" }] },
  { component: { name: "SmartChargingCtrlr" }, variable: { name: "PeriodsPerSchedule" }, variableAttribute: [{ value: "24" }] },
];

const page = (requestId, more) => ({ requestId, generatedAt: now(), seqNo: 0, tbc: false, ...more });

// What follows an answer, by the request.
const follows = {
  GetBaseReport: ({ requestId }) => ["NotifyReport", page(requestId, { reportData: inventory() })],
  GetReport: ({ requestId }) => ["NotifyReport", page(requestId, { reportData: inventory() })],
  GetMonitoringReport: ({ requestId }) => ["NotifyMonitoringReport", page(requestId, {})],
  CustomerInformation: ({ requestId, report }) => report && ["NotifyCustomerInformation", page(requestId, { data: "nothing" })],
  GetDisplayMessages: ({ requestId }) => [
    "NotifyDisplayMessages",
    {
      requestId,
      tbc: false,
      messageInfo: [{ id: 1, priority: "InFront", message: { format: "UTF8", language: "en", content: "Hello" } }],
    },
  ],
  GetChargingProfiles: ({ requestId }) => [
    "ReportChargingProfiles",
    {
      requestId,
      chargingLimitSource: "CSO",
      evseId: 1,
      tbc: false,
      chargingProfile: [
        {
          id: 9,
          stackLevel: 0,
          chargingProfilePurpose: "TxDefaultProfile",
          chargingProfileKind: "Absolute",
          chargingSchedule: [
            { id: 1, startSchedule: now(), chargingRateUnit: "A", chargingSchedulePeriod: [{ startPeriod: 0, limit: 6.0 }] },
          ],
        },
      ],
    },
  ],
  TriggerMessage: ({ requestedMessage }) =>
    requestedMessage === "BootNotification" && [
      "BootNotification",
      { reason: "Triggered", chargingStation: { vendorName: "Independent", model: "Strict" } },
    ],
};

async function connect({ url, identity, password }) {
  client = new RPCClient({ endpoint: url, identity, password, protocols: ["ocpp2.0.1"], strictMode: true, reconnect: false });
  client.on("strictValidationFailure", ({ method, params, result, error, outbound, isCall }) =>
    report({
      failure: method,
      where: `${outbound ? "sent" : "received"} ${isCall ? "request" : "response"}`,
      error: error.message,
      payload: isCall ? params : result,
    }),
  );
  client.on("badMessage", ({ error }) => report({ bad: error.message }));
  client.on("close", ({ code, reason }) => report({ closed: code, reason: String(reason) }));
  client.handle(({ method, params }) => {
    report({ request: method, params });
    const answer = answers[method];
    if (answer === undefined) throw createRPCError("NotImplemented", method);
    const next = follows[method]?.(params);
    if (next) setImmediate(() => client.call(...next).catch((error) => report({ refused: next[0], error: error.message })));
    return typeof answer === "function" ? answer(params) : answer;
  });
  await client.connect();
}

const orders = {
  connect,
  call: ({ action, params }) => client.call(action, params),
  answer: ({ action, params }) => void (answers[action] = params),
  close: () => client.close(),
};

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  const order = JSON.parse(line);
  try {
    report({ done: order.id, result: (await orders[order.do](order)) ?? null });
  } catch (error) {
    report({ done: order.id, error: `${error.rpcErrorCode ?? error.name}: ${error.message}` });
  }
}).on("close", () => process.exit(0));
