// Three clients of Node, one call in each situation, all at once: prints what each of them says of it.
const [, , folder, plan, key] = process.argv;
const from = async (name, file) => await import(`file://${folder}/node_modules/${name}/${file}`);
const { fetch: undiciFetch, Agent } = (await from("undici", "index.js")).default;
const axios = (await from("axios", "index.js")).default;
const { default: OpenAI } = await from("openai", "index.mjs");
const CAP_MS = 2000;

function names(error) {
  const found = [];
  for (let one = error; one && found.length < 12; one = one.cause) found.push(one.constructor?.name, one.name, one.code);
  return [...new Set(found.filter((name) => typeof name === "string" && name !== "Error"))];
}

function ended(found) {
  const text = found.join(" ");
  if (/ECONNREFUSED/.test(text)) return "connect_failed";
  return /Timeout|TIMEOUT|ECONNABORTED/.test(text) ? "local_cap" : "remote_closed";
}

async function told(call, client) {
  const began = performance.now();
  const seen = { came: [], text: "", status: null, headers: {} };
  const here = (piece) => {
    seen.came.push(performance.now() - began);
    if (piece) seen.text += Buffer.from(piece).toString("latin1");
  };
  let found = [];
  try {
    await client(call, seen, here);
  } catch (error) {
    found = names(error);
    if (process.env.SHOW) console.error(call.situation, error);
  }
  const end = performance.now() - began;
  const gaps = [...seen.came, end].map((at, index) => at - (index ? seen.came[index - 1] : 0));
  let error = null;
  if (seen.status >= 400) ({ error } = JSON.parse(seen.text));
  return {
    situation: call.situation,
    client_request_id: call.headers["x-client-request-id"],
    ended: found.length ? ended(found) : "complete",
    names: found,
    status: seen.status,
    headers: Object.fromEntries(Object.entries(seen.headers).map(([name, value]) => [name, String(value)])),
    error: error && { type: error.type, code: error.code, message: error.message },
    headers_at_ms: seen.came[0] ?? null,
    last_byte_at_ms: seen.came.at(-1) ?? null,
    longest_silence_ms: seen.status && !seen.came.length ? null : Math.max(...gaps), // axios does not say when it came
    ended_at_ms: end,
    bytes_down: seen.text.length,
    image: !found.length && seen.text.includes("b64_json"),
  };
}

async function read(response, seen, here) {
  here();
  seen.status = response.status;
  seen.headers = Object.fromEntries(response.headers);
  for await (const piece of response.body) here(piece);
}

const dispatcher = new Agent({ headersTimeout: CAP_MS, bodyTimeout: CAP_MS });
const sent = (call) => ({ ...call.headers, authorization: `Bearer ${key}`, "content-type": "application/json" });
const url = (call) => `${call.base}/images/generations`;

const clients = {
  undici: async (call, seen, here) => {
    const body = JSON.stringify(call.body);
    await read(await undiciFetch(url(call), { method: "POST", body, headers: sent(call), dispatcher }), seen, here);
  },
  axios: async (call, seen, here) => {
    const options = { headers: sent(call), timeout: CAP_MS, responseType: "text", validateStatus: () => true };
    const response = await axios.post(url(call), call.body, options).catch((error) => {
      if (error.response) [seen.status, seen.headers] = [error.response.status, error.response.headers];
      throw error;
    });
    seen.status = response.status;
    seen.headers = response.headers;
    here(Buffer.from(typeof response.data === "string" ? response.data : JSON.stringify(response.data)));
  },
  "openai-node": async (call, seen, here) => {
    const client = new OpenAI({ apiKey: key, baseURL: call.base, timeout: CAP_MS, maxRetries: 0 });
    try {
      await read(await client.images.generate(call.body, { headers: call.headers }).asResponse(), seen, here);
    } catch (error) {
      if (!error.status) throw error;
      here(Buffer.from(JSON.stringify({ error: error.error })));
      seen.status = error.status;
      seen.headers = Object.fromEntries(error.headers);
    }
  },
};

const calls = JSON.parse(plan);
const all = Object.entries(calls).map(async ([name, list]) => [
  name,
  await Promise.all(list.map((call) => told(call, clients[name]))),
]);
console.log(JSON.stringify(Object.fromEntries(await Promise.all(all))));
