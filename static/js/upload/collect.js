// Files out of what was dropped or chosen: folders are walked, zips are left whole.

/** @typedef {{ file: File, path: string }} Found */

const LITTER = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|__MACOSX\/.*|\._.*)$/;

/** @param {FileList} list @returns {Found[]} */
export function fromInput(list) {
  return byName([...list].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
}

/**
 * Everything in a drop. Entries must be taken before the first await: the browser empties the transfer then.
 * @param {DataTransfer} transfer @returns {Promise<Found[]>}
 */
export async function fromDrop(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry !== null && entry !== undefined);
  if (entries.length === 0) return fromInput(transfer.files);
  /** @type {Found[]} */
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return byName(found);
}

/** @param {FileSystemEntry} entry @param {Found[]} found */
async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
    found.push({ file, path: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  // readEntries gives at most a hundred at a time, and an empty list at the end.
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const one of some) await walk(one, found);
  }
}

/** @param {Found[]} found without the litter of operating systems, slice 2 before slice 10 */
function byName(found) {
  const { compare } = new Intl.Collator(undefined, { numeric: true });
  return found.filter(isWanted).sort((a, b) => compare(a.path, b.path));
}

/** @param {Found} found */
function isWanted(found) {
  return !LITTER.test(found.path);
}
