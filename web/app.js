// The page: puts composer, conversation, settings and camera together.
import * as api from "./api.js";
import { Log } from "./chat.js";
import { Camera, element, isMedium, medium, part } from "./media.js";
import * as store from "./store.js";

const $ = (id) => document.getElementById(id);
const log = new Log($("log"));
let settings = store.loadSettings();
let messages = [];       // {role, text, media, usage, finish}
let attached = [];
let running = null;      // AbortController of the answer being made
const sent = new Set();  // media that the server has had

function showError(text) {
  $("error").textContent = text;
  $("error").hidden = !text;
}

const status = (text) => { $("status").textContent = text; };

function applyTheme() {
  if (settings.theme) document.documentElement.dataset.theme = settings.theme;
  else delete document.documentElement.dataset.theme;
}

// ---- attachments

function showAttached() {
  $("attachments").replaceChildren(...attached.map((item) => {
    const entry = document.createElement("li");
    const remove = document.createElement("button");
    remove.type = "button";
    remove.textContent = "×";
    remove.setAttribute("aria-label", `Remove ${item.name}`);
    remove.onclick = () => {
      attached = attached.filter((other) => other !== item);
      showAttached();
    };
    entry.append(element(item, false), remove);
    return entry;
  }));
  $("plan").hidden = true;
}

function attach(files) {
  const good = [...files].filter(isMedium);
  if (good.length < files.length) showError("Only images and videos can be attached.");
  attached.push(...good.map((file) => medium(file, file.name || "pasted picture")));
  showAttached();
  $("question").focus();
}

// ---- requests

const number = (name) => (settings[name] === "" || settings[name] === undefined ? undefined : Number(settings[name]));

async function requestBody(conversation) {
  const list = [];
  if (settings.system) list.push({ role: "system", content: settings.system });
  for (const message of conversation) {
    if (message.role === "assistant") {
      list.push({ role: "assistant", content: message.text });
      continue;
    }
    const parts = await Promise.all(message.media.map((item) => part(item, sent.has(item.id))));
    list.push({ role: "user", content: [...parts, { type: "text", text: message.text }] });
  }
  return {
    messages: list,
    temperature: number("temperature"),
    top_p: number("top_p"),
    max_completion_tokens: number("max_tokens"),
    seed: number("seed"),
    fps: number("fps"),
    max_frames: number("max_frames"),
    return_progress: true,
    return_kept_mask: true,
  };
}

/** Runs `action`, once more with all media where the server has forgotten some. */
async function withMedia(conversation, action) {
  try {
    return await action(await requestBody(conversation));
  } catch (error) {
    if (error.status !== 404 || sent.size === 0) throw error;
    sent.clear();
    return action(await requestBody(conversation));
  }
}

const remember = (conversation) => conversation.forEach((message) => message.media?.forEach((item) => sent.add(item.id)));

function progressText({ stage, processed, total }) {
  const names = { decode: "decoding frames", encode: "encoding frames", prefill: "reading the prompt" };
  return `${names[stage] ?? stage} ${processed}${total ? ` of ${total}` : ""}`;
}

async function ask() {
  const text = $("question").value.trim();
  if (running || (!text && attached.length === 0)) return;
  showError("");
  const question = { role: "user", text, media: attached };
  const answer = { role: "assistant", text: "", media: [] };
  const conversation = [...messages, question];
  attached = [];
  $("question").value = "";
  showAttached();
  $("empty").hidden = true;
  const questionView = log.add(question), view = log.add(answer);
  view.busy(true);
  view.item.scrollIntoView({ block: "end" });
  let drawing = 0;
  const draw = () => {  // once a picture of the screen, however fast tokens come
    drawing = 0;
    status("");
    view.text(answer.text);
    if (innerHeight + scrollY > document.body.scrollHeight - 120) view.item.scrollIntoView({ block: "end" });
  };
  running = new AbortController();
  $("stop").hidden = false;
  $("send").disabled = true;
  question.media.forEach(store.saveMedium);
  try {
    await withMedia(conversation, (body) => api.stream(body, settings.key, running.signal, (event) => {
      if (event.prompt_progress) status(progressText(event.prompt_progress));
      if (event.usage) answer.usage = event.usage;
      const choice = event.choices?.[0];
      if (choice?.delta?.content) {
        answer.text += choice.delta.content;
        if (!drawing) drawing = requestAnimationFrame(draw);
      }
      if (choice?.finish_reason) answer.finish = choice.stop_reason === "repetition" ? "repetition" : choice.finish_reason;
    }));
    remember(conversation);
    status("Answer complete.");
  } catch (error) {
    if (error.name === "AbortError") {
      answer.finish = "stopped";
      status("Stopped.");
    } else {
      showError(error.message);
      status("");
      if (!answer.text) {  // nothing came: the question goes back to where it was written
        view.item.remove();
        questionView.item.remove();
        $("question").value = text;
        attached = question.media;
        showAttached();
        $("empty").hidden = messages.length > 0;
      }
    }
  }
  cancelAnimationFrame(drawing);
  running = null;
  $("stop").hidden = true;
  $("send").disabled = false;
  view.busy(false);
  if (view.item.isConnected) {
    messages = [...conversation, answer];
    view.finish();
    view.frames(conversation.flatMap((message) => message.media ?? []));
    store.saveConversation(messages);
    view.item.scrollIntoView({ block: "end" });
  }
  $("question").focus({ preventScroll: true });
}

async function showPlan() {
  showError("");
  const conversation = [...messages, { role: "user", text: $("question").value.trim() || "?", media: attached }];
  $("show-plan").disabled = true;
  try {
    const plan = await withMedia(conversation, (body) => api.plan(body, settings.key));
    remember(conversation);
    const media = plan.media.map((m) => `${m.name.slice(0, 40)}: ${m.frames.length} ${m.kind === "video" ? "frames" : "picture"}, ${m.kept} of ${m.tokens} tokens kept`);
    $("plan").textContent = [`${plan.prompt_tokens} prompt tokens`, `about ${plan.first_token_seconds.toFixed(1)} s to the first token`,
      `${Math.round(plan.memory.kv_bytes / 2 ** 20)} MiB of cache`, ...media, ...plan.notes].join(" · ");
    $("plan").hidden = false;
  } catch (error) {
    showError(error.message);
  }
  $("show-plan").disabled = false;
}

// ---- conversation

async function startAnew() {
  running?.abort();
  messages = [];
  log.clear();
  status("");
  showError("");
  $("empty").hidden = false;
  store.saveConversation(messages);
  await store.clearMedia();
  $("question").focus();
}

function exportConversation() {
  const text = JSON.stringify({ model: $("model").textContent, messages: messages.map(({ role, text: content, media, usage }) =>
    ({ role, content, media: media?.map((item) => item.name), usage })) }, null, 2);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "conversation.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function showModel() {
  try {
    const [first] = await api.models(settings.key);
    $("model").textContent = first.id;
    document.title = `vl3 · ${first.id}`;
    $("notice").textContent = first.meta.notice;
    $("notice").hidden = !first.meta.notice;
  } catch (error) {
    showError(error.status === 401 ? "This server wants an API key: see Settings." : error.message);
  }
}

function openSettings() {
  const form = $("settings").querySelector("form");
  for (const field of form.elements) if (field.name) field.value = settings[field.name] ?? "";
  $("settings").showModal();
}

function closeSettings() {
  settings = Object.fromEntries(new FormData($("settings").querySelector("form")));
  store.saveSettings(settings);
  applyTheme();
  showError("");
  showModel();
}

function listen() {
  $("composer").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  $("question").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      ask();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && running && !document.querySelector("dialog[open]")) running.abort();
  });
  $("stop").onclick = () => running?.abort();
  $("new").onclick = startAnew;
  $("export").onclick = exportConversation;
  $("show-plan").onclick = showPlan;
  $("open-settings").onclick = openSettings;
  $("settings").addEventListener("close", closeSettings);
  $("attach").onclick = () => $("files").click();
  $("files").onchange = () => { attach($("files").files); $("files").value = ""; };
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length > 0) attach(event.clipboardData.files);
  });
  let depth = 0;
  document.addEventListener("dragenter", () => { ++depth; document.body.classList.add("dropping"); });
  document.addEventListener("dragleave", () => { if (--depth <= 0) document.body.classList.remove("dropping"); });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    document.body.classList.remove("dropping");
    attach(event.dataTransfer.files);
  });
  const camera = new Camera($("camera-dialog"), (item) => { attached.push(item); showAttached(); }, showError);
  $("camera").onclick = () => camera.open();
}

applyTheme();
listen();
showModel();
messages = await store.loadConversation();
for (const message of messages) {
  const view = log.add(message);
  view.finish();
  if (message.role === "assistant") view.frames(messages.slice(0, messages.indexOf(message)).flatMap((m) => m.media ?? []));
}
$("empty").hidden = messages.length > 0;
