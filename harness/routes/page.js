// Runs inside the page: one fetch as a product makes it, and what the page could see of it. Times are performance.now().
async ({ url, headers, fields, abortMs, redirect }) => {
  const now = () => performance.now();
  const seen = {
    began: 0, status: null, headers: [], headersAt: null, chunks: [], endAt: null, body: "", timing: null,
    failure: null, failedAt: null, paintedAt: null, download: null, sentBytes: 0, moved: false,
  };
  const asBase64 = (parts) => new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",", 2)[1] || "");
    reader.readAsDataURL(new Blob(parts));
  });
  // Of a stream the last event that holds an image, of a JSON body the first image.
  const imageIn = (text) => {
    const read = (json) => { try { return JSON.parse(json); } catch { return null; } };
    const whole = read(text);
    if (whole !== null) return (whole.data || [])[0] || null;
    const lines = text.split("\n").filter((line) => line.startsWith("data:"));
    for (const line of lines.reverse()) {
      const value = read(line.slice(5));
      if (value && (value.b64_json || value.url) && !String(value.type).endsWith("partial_image")) return value;
    }
    return null;
  };
  const painted = async (source) => {
    const image = new Image();
    image.src = source;
    await image.decode();
    document.body.append(image);
    // The second frame begins when the one with the image in it has been handed to the screen.
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    return now();
  };
  const parts = [];
  const controller = new AbortController();
  const body = JSON.stringify(fields);
  seen.sentBytes = new Blob([body]).size;
  performance.setResourceTimingBufferSize(1000);
  const timer = abortMs === null ? null : setTimeout(() => controller.abort(), abortMs);
  seen.began = now();
  try {
    const asked = { method: "POST", headers, body, signal: controller.signal, cache: "no-store", redirect };
    const response = await fetch(url, asked);
    seen.headersAt = now();
    seen.moved = response.type === "opaqueredirect";  // the page is not told where to, nor with which status
    seen.status = seen.moved ? null : response.status;
    seen.headers = [...response.headers];
    if (seen.moved) seen.endAt = now();
    const reader = seen.moved ? null : response.body.getReader();
    while (!seen.moved) {
      const { done, value } = await reader.read();
      const at = now();
      if (done) { seen.endAt = at; break; }
      parts.push(value);
      seen.chunks.push([at, value.length]);
    }
  } catch (error) {
    seen.failedAt = now();
    seen.failure = error.name;
  }
  clearTimeout(timer);
  // The entry is queued when the exchange ends; a turn of the loop later it is there.
  await new Promise((resolve) => setTimeout(resolve, 0));
  const entry = performance.getEntriesByName(new URL(url, location.href).href, "resource").pop();
  seen.timing = entry ? entry.toJSON() : null;
  if (seen.endAt !== null && seen.status < 400) {
    const found = imageIn(await new Blob(parts).text());
    try {
      if (found && found.b64_json) {
        const bytes = Uint8Array.from(atob(found.b64_json), (char) => char.charCodeAt(0));
        const address = URL.createObjectURL(new Blob([bytes]));
        seen.paintedAt = await painted(address);
      } else if (found && found.url) {
        seen.download = { began: now(), status: null, endAt: null, body: "" };
        const answer = await fetch(found.url);
        seen.download.status = answer.status;
        const file = await answer.blob();
        seen.download.endAt = now();
        seen.download.body = await asBase64([file]);
        seen.paintedAt = await painted(URL.createObjectURL(file));
      }
    } catch (error) {
      // What came is no image that a browser can draw, or the link cannot be fetched: nothing was painted.
      seen.paintedAt = null;
    }
  }
  seen.body = await asBase64(parts);
  return seen;
}
