// What survives a reload: settings and the conversation in localStorage, media and kept masks in IndexedDB.

const SETTINGS = "vl3-settings", CONVERSATION = "vl3-conversation";

function read(key, fallback) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? fallback;
  } catch {
    return fallback;
  }
}

const withoutMasks = (key, value) => (key === "kept_masks" ? undefined : value);

/** @return false where the storage is full or forbidden */
function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value, withoutMasks));
    return true;
  } catch {
    return false;
  }
}

export const loadSettings = () => read(SETTINGS, {});
export const saveSettings = (settings) => write(SETTINGS, settings);

/** Saves all but media and masks; where there is no room, not the receipts either. @return whether all was saved */
export function saveConversation(messages) {
  const list = messages.map((message) => ({
    ...message,
    media: message.media?.map(({ id, kind, name }) => ({ id, kind, name })),
  }));
  if (write(CONVERSATION, list)) return true;
  write(CONVERSATION, list.map(({ usage, ...message }) => message));
  return false;
}

function database() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("vl3", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("media");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function transact(mode, action) {
  const db = await database();
  return new Promise((resolve, reject) => {
    const transaction = db.transaction("media", mode);
    const request = action(transaction.objectStore("media"));
    // Whether there was room is known only at the transaction's end.
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error ?? request.error);
  }).finally(() => db.close());
}

const stored = (id) => transact("readonly", (store) => store.get(id)).catch(() => undefined);
const put = (value, id) => transact("readwrite", (store) => store.put(value, id));
const remove = (id) => transact("readwrite", (store) => store.delete(id));

export const clearMedia = () => transact("readwrite", (store) => store.clear()).catch(() => {});

/** Masks are stored only where there is room. @return whether there was */
export const saveMasks = (answer) => put(answer.usage.receipt.kept_masks, answer.id).then(() => true, () => false);

/** Stores a medium. Where there is no room, others go: first what no message has, then masks, then the oldest media.
 *  @return whether all is stored */
export async function saveMedium(medium, messages) {
  let whole = true;
  try {
    const quota = (await navigator.storage?.estimate())?.quota;
    if (medium.blob.size > quota) return false;  // others would go in vain
    let victims = null;
    for (;;) {
      try {
        await put(medium.blob, medium.id);
        return whole;
      } catch (error) {
        victims ??= await oldestFirst(messages, medium.id);
        if (error.name !== "QuotaExceededError" || victims.length === 0) return false;
        await remove(victims.shift());
        whole = false;
      }
    }
  } catch {
    return false;  // forbidden, as in some private windows
  }
}

async function oldestFirst(messages, but) {
  const masks = messages.map((message) => message.id);
  const media = messages.flatMap((message) => message.media ?? []).map((item) => item.id);
  const keys = await transact("readonly", (store) => store.getAllKeys());
  const known = [...masks, ...media];
  return [...keys.filter((key) => !known.includes(key)), ...known.filter((key) => keys.includes(key))].filter((key) => key !== but);
}

/** The conversation; media that are no longer stored have no blob. */
export async function loadConversation() {
  const messages = read(CONVERSATION, []);
  for (const message of messages) {
    for (const medium of message.media ?? []) {
      medium.blob = await stored(medium.id);
      if (medium.blob) medium.url = URL.createObjectURL(medium.blob);
    }
    if (message.role !== "assistant") continue;
    if (message.usage) message.usage.receipt.kept_masks = await stored(message.id);
    message.finish ??= "stopped";  // by the reload
  }
  return messages;
}
