// The page: puts composer, conversation, settings and camera together.
import * as api from "./api.js";
import { keepEndInView, Log, planText, progressText } from "./chat.js";
import { Camera, captioned, distinct, element, isMedium, medium, newId } from "./media.js";
import * as store from "./store.js";

const $ = (id) => document.getElementById(id);
const log = new Log($("log"));
const toEnd = keepEndInView();
let settings = store.loadSettings();
let messages = [];    // {role, text, media}; of answers also {id, media_ids, usage, finish}
let attached = [];
let running = null;   // AbortController of the answer being made
let leaving = false;  // the page is going: what it waited for fails, which is no answer

function showError(text) {
  $("error").textContent = text;
  $("error").hidden = !text;
}

const status = (text) => { $("status").textContent = text; };

function applyTheme() {
  if (settings.theme) document.documentElement.dataset.theme = settings.theme;
  else delete document.documentElement.dataset.theme;
}

// ---- what survives a reload

function warnOfStorage() {
  if ($("warning").textContent) return;  // said once a conversation
  $("warning").textContent = "The browser's storage is full or not allowed: after a reload a part of this conversation will be missing, the oldest media first.";
}

function save() {
  if (!store.saveConversation(messages)) warnOfStorage();
}

let saving = 0;
function saveSoon() {
  saving ||= setTimeout(() => { saving = 0; save(); }, 500);
}

let storing = Promise.resolve();  // one medium after another: the order in which the oldest give way
function saveMedia(media) {
  for (const item of media) storing = storing.then(async () => { if (!await store.saveMedium(item, messages)) warnOfStorage(); });
}

// ---- attachments

function showAttached() {
  $("attachments").replaceChildren(...attached.map((item) => {
    const entry = captioned(item, element(item, false));
    const remove = document.createElement("button");
    remove.type = "button";
    remove.textContent = "×";
    remove.setAttribute("aria-label", `Remove ${item.name}`);
    remove.onclick = () => {
      attached = attached.filter((other) => other !== item);
      showAttached();
    };
    entry.append(remove);
    return entry;
  }));
  $("plan").hidden = true;
}

function add(item) {
  const others = [...messages.flatMap((message) => message.media ?? []), ...attached];
  attached.push({ ...item, name: distinct(item.name, others) });
  showAttached();
}

function attach(files) {
  const good = [...files].filter(isMedium);
  if (good.length < files.length) showError("Only images and videos can be attached.");
  for (const file of good) add(medium(file, file.name || "pasted picture"));
  $("question").focus();
}

// ---- requests

async function ask() {
  const text = $("question").value.trim();
  if (running || (!text && attached.length === 0)) return;
  showError("");
  status("");
  const before = messages;
  const question = { role: "user", text, media: attached };
  const conversation = [...before, question];
  const answer = { role: "assistant", id: newId(), text: "", media: [], media_ids: api.mediaOf(conversation).map((item) => item.id) };
  messages = [...conversation, answer];
  attached = [];
  $("question").value = "";
  showAttached();
  $("empty").hidden = true;
  const questionView = log.add(question), view = log.add(answer);
  questionView.finish();
  view.busy(true);
  toEnd();
  save();
  saveMedia(question.media);
  let drawing = 0;
  const draw = () => {  // once a picture of the screen, however fast tokens come
    drawing = 0;
    status("");
    view.text(answer.text);
  };
  running = new AbortController();
  $("stop").hidden = false;
  $("send").disabled = true;
  try {
    await api.stream(conversation, settings, running.signal, (event) => {
      if (event.prompt_progress) status(progressText(event.prompt_progress));
      if (event.usage) answer.usage = event.usage;
      const choice = event.choices?.[0];
      if (choice?.delta?.content) {
        answer.text += choice.delta.content;
        if (!drawing) drawing = requestAnimationFrame(draw);
        saveSoon();
      }
      if (choice?.finish_reason) answer.finish = choice.stop_reason === "repetition" ? "repetition" : choice.finish_reason;
    });
    status("Answer complete.");
  } catch (error) {
    if (error.name === "AbortError" || leaving) {
      answer.finish = "stopped";
      status("Stopped.");
    } else {
      showError(error.message);
      status("");
      answer.finish = "broken off";
      if (!answer.text) {  // nothing came: the question goes back to where it was written
        view.remove();
        questionView.remove();
        messages = before;
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
  save();
  $("question").focus({ preventScroll: true });
  if (!view.item.isConnected) return;
  view.finish();
  if (answer.usage && !await store.saveMasks(answer)) warnOfStorage();
}

/** @param measure  see api.plan */
async function showPlan(measure) {
  showError("");
  const conversation = [...messages, { role: "user", text: $("question").value.trim() || "?", media: attached }];
  const buttons = [$("show-plan"), $("measure")];
  buttons.forEach((button) => { button.disabled = true; });
  if (measure) status("Decoding the videos to measure pruning…");
  try {
    const plan = await api.plan(conversation, settings, measure);
    $("plan-text").textContent = planText(plan);
    $("measure").hidden = plan.pruning_known || plan.media.every((m) => m.kind !== "video");
    $("plan").hidden = false;
  } catch (error) {
    showError(error.message);
  }
  status("");
  buttons.forEach((button) => { button.disabled = false; });
}

// ---- conversation

/** An empty conversation, with nothing attached or written either. */
function startAnew() {
  running?.abort();
  messages = [];
  attached = [];
  $("question").value = "";
  log.clear();
  showAttached();
  status("");
  showError("");
  $("warning").textContent = "";
  $("empty").hidden = false;
  save();
  store.clearMedia();
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
  $("settings-error").hidden = true;
  $("settings").returnValue = "";
  $("settings").showModal();
}

function checkSettings(event) {
  const wrong = [...event.target.elements].find((field) => !field.validity.valid);
  if (!wrong) return;
  event.preventDefault();
  $("settings-error").textContent = `${wrong.labels[0].textContent.trim()}: ${wrong.validationMessage}`;
  wrong.labels[0].after($("settings-error"));  // in view, however small the screen
  $("settings-error").hidden = false;
  wrong.focus();
}

function closeSettings() {
  if ($("settings").returnValue !== "done") return;  // Escape or Cancel
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
  $("show-plan").onclick = () => showPlan(false);
  $("measure").onclick = () => showPlan(true);
  $("open-settings").onclick = openSettings;
  $("settings").addEventListener("submit", checkSettings);
  $("settings-cancel").onclick = () => $("settings").close();
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
  const camera = new Camera($("camera-dialog"), add, showError);
  $("camera").onclick = () => camera.open();
  for (const event of ["beforeunload", "pagehide"]) addEventListener(event, leave);
}

function leave() {
  if (!running) return;
  save();
  leaving = true;
  setTimeout(() => { leaving = false; }, 5000);  // where the user or the browser stays after all
}

applyTheme();
messages = await store.loadConversation();
for (const message of messages) log.add(message).finish();
$("empty").hidden = messages.length > 0;
listen();
$("not-started").remove();
showModel();
