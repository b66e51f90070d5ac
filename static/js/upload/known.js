// What the portal has already, by the hash of each file: after a break only the rest is sent.

const LARGEST = 64 * 1024 * 1024;

/**
 * Gives each item its sha256. Large files (zips) and pages without https go without: they are simply sent.
 * @param {import("./send.js").Item[]} items
 */
async function hash(items) {
  if (!globalThis.crypto?.subtle) return;
  for (const item of items) {
    if (item.sha256 !== undefined || item.file.size > LARGEST) continue;
    try {
      item.sha256 = hex(await crypto.subtle.digest("SHA-256", await item.file.arrayBuffer()));
    } catch {
      item.sha256 = ""; // it is found out when it is sent
    }
  }
}

/** @param {ArrayBuffer} digest */
export function hex(digest) {
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Asks which of the items are stored; those are settled, the others returned. While the portal is away all are.
 * @param {import("./send.js").Item[]} items
 * @param {{ known: string, site: string, token: string }} road
 * @param {(item: import("./send.js").Item, line: object) => void} settled
 */
export async function unknown(items, road, settled) {
  await hash(items);
  const hashes = items.map((item) => item.sha256).filter(Boolean);
  if (hashes.length === 0) return items;
  const stored = await ask([...new Set(hashes)], road);
  return items.filter((item) => {
    const line = stored.get(item.sha256);
    if (line) settled(item, line);
    return !line;
  });
}

async function ask(hashes, road) {
  try {
    const answer = await fetch(road.known, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": road.token },
      body: JSON.stringify({ sha256: hashes, site: road.site }),
      signal: AbortSignal.timeout(20_000),
    });
    const { known } = answer.ok ? await answer.json() : { known: [] };
    return new Map(known.map((line) => [line.sha256, line]));
  } catch {
    return new Map();
  }
}
