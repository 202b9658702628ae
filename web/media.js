// Media of a message: files, pasted or dropped ones, the camera.

/** Unguessable; made of what plain http has as well, unlike crypto.randomUUID. */
export const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export function medium(blob, name) {
  const kind = blob.type.startsWith("video/") ? "video" : "image";
  return { id: newId(), kind, name, blob, url: URL.createObjectURL(blob) };
}

/** `name`, or "name (2)" and so on where others are called so: media are told apart by their names. */
export function distinct(name, others) {
  const taken = new Set(others.map((item) => item.name));
  let free = name;
  for (let n = 2; taken.has(free); ++n) free = `${name} (${n})`;
  return free;
}

export const isMedium = (file) => /^(image|video)\//.test(file.type);

/** An <img> or <video> that shows the medium. */
export function element(item, controls) {
  const shown = document.createElement(item.kind === "video" ? "video" : "img");
  shown.src = item.url;
  if (item.kind === "video") {
    shown.controls = controls;
    shown.muted = true;
    shown.playsInline = true;
    shown.preload = "auto";
    shown.setAttribute("aria-label", item.name);
  } else {
    shown.alt = item.name;
  }
  return shown;
}

/** The medium as it is shown in a list, under its name. */
export function captioned(item, shown) {
  const entry = document.createElement("li");
  const caption = document.createElement("span");
  caption.className = "name";
  caption.textContent = caption.title = item.name;
  entry.append(shown, caption);
  return entry;
}

/** A data: URL with the medium's id as a parameter, by which messages about it are understood (see withNames). */
function dataUrl({ id, blob }) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(`data:${blob.type.split(";")[0]};n=${id};base64${reader.result.slice(reader.result.indexOf(","))}`);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** Content part of a request. A medium that the server has had is named by its uuid alone. */
export async function part(item, sent) {
  const type = item.kind === "video" ? "video_url" : "image_url";
  return { type, [type]: sent ? null : { url: await dataUrl(item) }, uuid: item.id };
}

/** Opens the camera dialog; calls onMedium with a picture or a clip. */
export class Camera {
  constructor(dialog, onMedium, onError) {
    this.dialog = dialog;
    this.view = dialog.querySelector("video");
    this.recordButton = dialog.querySelector("#record");
    this.onMedium = onMedium;
    this.onError = onError;
    dialog.querySelector("#snapshot").onclick = () => this.snapshot();
    dialog.querySelector("#camera-close").onclick = () => dialog.close();
    this.recordButton.onclick = () => this.record();
    dialog.addEventListener("close", () => this.stop());
  }

  async open() {
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: true });
    } catch {
      this.onError("The camera cannot be used: it is missing, in use, or not allowed for this page.");
      return;
    }
    this.view.srcObject = this.stream;
    await this.view.play();
    this.dialog.showModal();
  }

  snapshot() {
    const canvas = document.createElement("canvas");
    canvas.width = this.view.videoWidth;
    canvas.height = this.view.videoHeight;
    canvas.getContext("2d").drawImage(this.view, 0, 0);
    canvas.toBlob((blob) => {
      this.onMedium(medium(blob, "picture from the camera"));
      this.dialog.close();
    }, "image/jpeg", 0.92);
  }

  record() {
    if (this.recorder) {
      this.recorder.stop();
      return;
    }
    const pieces = [];
    this.recorder = new MediaRecorder(this.stream);
    this.recorder.ondataavailable = (event) => pieces.push(event.data);
    this.recorder.onstop = () => {
      const type = (this.recorder.mimeType || "video/webm").split(";")[0];
      this.recorder = null;
      this.recordButton.textContent = "Record a clip";
      this.recordButton.setAttribute("aria-pressed", "false");
      this.onMedium(medium(new Blob(pieces, { type }), "clip from the camera"));
      this.dialog.close();
    };
    this.recorder.start();
    this.recordButton.textContent = "Stop recording";
    this.recordButton.setAttribute("aria-pressed", "true");
  }

  stop() {
    if (this.recorder) this.recorder.stop();
    this.stream?.getTracks().forEach((track) => track.stop());
    this.view.srcObject = null;
  }
}
