// The server's API: models, plans, streamed answers.
import { part } from "./media.js";

export class ApiError extends Error {
  constructor(message, status, code) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

function headers(key) {
  const out = { "Content-Type": "application/json" };
  if (key) out.Authorization = `Bearer ${key}`;
  return out;
}

async function failure(response) {
  try {
    const { error } = await response.json();
    return new ApiError(error.message, response.status, error.code);
  } catch {
    return new ApiError(`the server answered with status ${response.status}`, response.status, null);
  }
}

async function call(path, key, body, signal) {
  let response;
  try {
    response = await fetch(path, {
      method: body ? "POST" : "GET",
      headers: headers(key),
      body: body && JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("the server cannot be reached", 0, null);
  }
  if (!response.ok) throw await failure(response);
  return response;
}

export async function models(key) {
  return (await (await call("v1/models", key)).json()).data;
}

// ---- requests about a conversation

const sent = new Set();  // ids of the media that the server has had

/** The media of a conversation that are sent, in order: all but those that the browser's storage has lost. */
export const mediaOf = (conversation) => conversation.flatMap((message) => message.media ?? []).filter((item) => item.blob);

const number = (text) => (text === "" || text === undefined ? undefined : Number(text));

async function requestBody(conversation, settings) {
  const list = [];
  if (settings.system) list.push({ role: "system", content: settings.system });
  for (const message of conversation) {
    if (message.role === "assistant") {
      list.push({ role: "assistant", content: message.text });
      continue;
    }
    const parts = await Promise.all(mediaOf([message]).map((item) => part(item, sent.has(item.id))));
    list.push({ role: "user", content: [...parts, { type: "text", text: message.text }] });
  }
  return {
    messages: list,
    temperature: number(settings.temperature),
    top_p: number(settings.top_p),
    max_completion_tokens: number(settings.max_tokens),
    seed: number(settings.seed),
    fps: number(settings.fps),
    max_frames: number(settings.max_frames),
  };
}

/** What the server says of media, which it knows by their URLs and ids, with the names that the user knows. */
export function withNames(text, media) {
  const nameOf = (whole, id) => media.find((item) => item.id === id)?.name ?? whole;
  return text.replace(/data:[^\s,:;]*;n=([\w-]+)[^\s,:]*(?:,\.\.\.)?/g, nameOf).replace(/uuid ([\w-]+)/g, nameOf);
}

/** Runs `action` with the request, once more with all media where the server has forgotten some. */
async function withMedia(conversation, settings, action) {
  const media = mediaOf(conversation);
  try {
    let result;
    try {
      result = await action(await requestBody(conversation, settings));
    } catch (error) {
      if (error.status !== 404 || sent.size === 0) throw error;
      sent.clear();
      result = await action(await requestBody(conversation, settings));
    }
    media.forEach((item) => sent.add(item.id));
    return result;
  } catch (error) {
    if (error instanceof ApiError) error.message = withNames(error.message, media);
    throw error;
  }
}

const nameAll = (described, media) => described.forEach((medium, i) => { medium.name = media[i].name; });

/** @param measure  whether the server is to decode the videos, to count the tokens that pruning keeps */
export async function plan(conversation, settings, measure) {
  const media = mediaOf(conversation);
  const answer = await withMedia(conversation, settings, async (body) =>
    (await call("v1/plan", settings.key, { ...body, measure_pruning: measure })).json());
  nameAll(answer.media, media);
  answer.notes = answer.notes.map((note) => withNames(note, media));
  return answer;
}

/** Calls onEvent with every object of the stream. Resolves at its end, rejects for an error in it. */
export function stream(conversation, settings, signal, onEvent) {
  return withMedia(conversation, settings, async (body) => {
    const response = await call("v1/chat/completions", settings.key, {
      ...body,
      stream: true,
      stream_options: { include_usage: true },
      return_progress: true,
      return_kept_mask: true,
    }, signal);
    await readEvents(response.body, (event) => {
      if (event.usage) nameAll(event.usage.receipt.media, mediaOf(conversation));
      onEvent(event);
    });
  });
}

async function readEvents(body, onEvent) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new ApiError("the connection ended before the answer was whole", 0, null);
    held += value;
    let end;
    while ((end = held.indexOf("\n\n")) >= 0) {
      const event = held.slice(0, end);
      held = held.slice(end + 2);
      if (!event.startsWith("data: ")) continue;
      if (event === "data: [DONE]") return;
      const json = JSON.parse(event.slice(6));
      if (json.error) throw new ApiError(json.error.message, 200, json.error.code);
      onEvent(json);
    }
  }
}
