// What survives a reload: settings and the conversation in localStorage, media in IndexedDB.

const SETTINGS = "vl3-settings", CONVERSATION = "vl3-conversation";

function read(key, fallback) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? fallback;
  } catch {
    return fallback;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // A full or forbidden storage: the page goes on without memory.
  }
}

export const loadSettings = () => read(SETTINGS, {});
export const saveSettings = (settings) => write(SETTINGS, settings);
export const saveConversation = (messages) => write(CONVERSATION, messages.map((message) => ({
  ...message,
  media: message.media?.map(({ id, kind, name }) => ({ id, kind, name })),
})));

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
    const request = action(db.transaction("media", mode).objectStore("media"));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  }).finally(() => db.close());
}

export const saveMedium = (medium) => transact("readwrite", (store) => store.put(medium.blob, medium.id)).catch(() => {});
export const clearMedia = () => transact("readwrite", (store) => store.clear()).catch(() => {});

/** The conversation with the media that are still there. */
export async function loadConversation() {
  const messages = read(CONVERSATION, []);
  for (const message of messages) {
    const media = [];
    for (const medium of message.media ?? []) {
      const blob = await transact("readonly", (store) => store.get(medium.id)).catch(() => null);
      if (blob) media.push({ ...medium, blob, url: URL.createObjectURL(blob) });
    }
    message.media = media;
  }
  return messages;
}
