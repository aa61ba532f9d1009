// The official client for Node, unmodified, asked for one image in every way: prints what it made of the answers.
const [, , library, baseURL, azure] = process.argv;
globalThis.File ??= (await import("node:buffer")).File; // Debian's Node 18 has it, but not as a global
const { default: OpenAI, AzureOpenAI, toFile } = await import(library);

const apiKey = "sk-sim-test";
const client = new OpenAI({ apiKey, baseURL, maxRetries: 0 });
const shape = { model: "gpt-image-2", prompt: "A red apple", quality: "low", size: "1024x1024" };
const tools = [{ type: "image_generation", quality: "low", size: "1024x1024", partial_images: 1 }];
const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

async function kinds(stream) {
  const found = [];
  for await (const event of stream) found.push(event.type);
  return found;
}

const plain = await client.images.generate(shape);
const edited = await client.images.edit({ ...shape, image: await toFile(png, "a.png", { type: "image/png" }) });
const response = await client.responses.create({ model: "gpt-5.6", input: "A red apple", tools });
const refused = await client.images.generate({ ...shape, size: "512x512" }).catch((error) => error);
const deployed = new AzureOpenAI({ apiKey, endpoint: azure, apiVersion: "2025-04-01-preview", maxRetries: 0 });

console.log(
  JSON.stringify({
    plain: { bytes: Buffer.from(plain.data[0].b64_json, "base64").length, usage: plain.usage, id: plain._request_id },
    stream: await kinds(await client.images.generate({ ...shape, stream: true, partial_images: 1 })),
    edited: edited.usage,
    response: { status: response.status, kinds: response.output.map((item) => item.type) },
    responses: await kinds(await client.responses.create({ model: "gpt-5.6", input: "x", tools, stream: true })),
    refused: { name: refused.constructor.name, status: refused.status, code: refused.code, param: refused.param },
    azure: (await deployed.images.generate(shape)).data.length,
  }),
);
