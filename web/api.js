// The server's API: models, plans, streamed answers.

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

export async function plan(body, key) {
  return (await call("v1/plan", key, { ...body, measure_pruning: true })).json();
}

/** Calls onEvent with every object of the stream. Resolves at its end, rejects for an error in it. */
export async function stream(body, key, signal, onEvent) {
  const response = await call("v1/chat/completions", key, { ...body, stream: true, stream_options: { include_usage: true } }, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
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
