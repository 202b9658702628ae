// The frames of a video that the model saw, at their times, with the tokens that were kept of each.

const clock = (seconds) => {
  const minutes = Math.floor(seconds / 60), rest = seconds - minutes * 60;
  return `${minutes}:${rest.toFixed(rest % 1 ? 1 : 0).padStart(rest % 1 ? 4 : 2, "0")}`;
};

function seekTo(video, seconds) {
  return new Promise((resolve) => {
    const done = () => { clearTimeout(timer); resolve(); };
    const timer = setTimeout(done, 2000);  // a browser that cannot decode it shows the heat map alone
    video.addEventListener("seeked", done, { once: true });
    video.currentTime = Math.min(seconds, Math.max(0, (video.duration || seconds) - 0.01));
  });
}

/** Kept tokens stay clear, dropped ones are shaded. */
export function drawMask(context, width, height, mask, grid) {
  const w = width / grid.width, h = height / grid.height;
  const shade = `rgb(${getComputedStyle(document.documentElement).getPropertyValue("--kept")} / .55)`;
  context.fillStyle = shade;
  for (let i = 0; i < mask.length; ++i) {
    if (mask[i] !== "0") continue;
    // Whole pixels up to where the next cell begins: neither seams nor gaps.
    const x = i % grid.width, y = Math.floor(i / grid.width);
    const left = Math.round(x * w), top = Math.round(y * h);
    context.fillRect(left, top, Math.round((x + 1) * w) - left, Math.round((y + 1) * h) - top);
  }
}

/** A strip of buttons; clicking one seeks `player`. @param receipt  one of usage.receipt.media @param masks  its kept_masks */
export function timeline(receipt, masks, item, player) {
  const box = document.createElement("section");
  box.className = "timeline";
  box.setAttribute("aria-label", `Frames of ${item.name} that the model saw`);
  const name = box.appendChild(document.createElement("span"));
  name.className = "name";
  name.textContent = item.name;
  const list = box.appendChild(document.createElement("ol"));
  const aspect = receipt.size.width / receipt.size.height;
  const canvases = receipt.frames.map((frame) => {
    const button = document.createElement("button");
    button.type = "button";
    const canvas = button.appendChild(document.createElement("canvas"));
    canvas.height = 96;
    canvas.width = Math.max(24, Math.round(96 * aspect));
    const seconds = frame.time_s ?? 0;
    button.appendChild(document.createElement("span")).textContent = `${clock(seconds)} · ${frame.kept}/${frame.tokens}`;
    button.setAttribute("aria-label", `Go to ${clock(seconds)}; ${frame.kept} of ${frame.tokens} tokens kept`);
    button.onclick = () => { player.currentTime = seconds; player.focus(); };
    list.appendChild(document.createElement("li")).appendChild(button);
    return canvas;
  });
  draw(receipt, masks, item, canvases);
  return box;
}

async function draw(receipt, masks, item, canvases) {
  const video = document.createElement("video");
  video.muted = true;
  video.src = item.url;
  await new Promise((resolve) => {
    video.onloadeddata = video.onerror = resolve;
    setTimeout(resolve, 3000);
  });
  for (let f = 0; f < canvases.length; ++f) {
    const canvas = canvases[f], context = canvas.getContext("2d");
    if (video.readyState >= 2) {
      await seekTo(video, receipt.frames[f].time_s ?? 0);
      context.drawImage(video, 0, 0, canvas.width, canvas.height);
    }
    if (masks?.frames?.[f]) drawMask(context, canvas.width, canvas.height, masks.frames[f], masks);
  }
}

// "1:02", "1:00:01"; "12.5s"; and the "1.0" of "1.0-2.0 s" or "1.0 to 2.0 s", whose unit comes only at the other end.
const NUMBER = "\\d+(?:\\.\\d+)?", UNIT = " ?(?:s|secs?|seconds?)\\b", BETWEEN = " ?(?:[-\u2010-\u2015~]|to|until|and) ?";
const TIME = new RegExp(`\\b(\\d{1,2}:)?(\\d{1,2}):(\\d{2}(?:\\.\\d+)?)\\b|\\b(${NUMBER})(?:${UNIT}|(?=${BETWEEN}${NUMBER}${UNIT}))`, "g");

/** Text with every time in it as a button that seeks. */
export function withTimes(text, seek) {
  const out = document.createDocumentFragment();
  let last = 0;
  for (const match of text.matchAll(TIME)) {
    const seconds = match[4] !== undefined ? Number(match[4])
      : Number((match[1] ?? "0:").slice(0, -1)) * 3600 + Number(match[2]) * 60 + Number(match[3]);
    out.append(text.slice(last, match.index));
    const button = document.createElement("button");
    button.type = "button";
    button.className = "time";
    button.textContent = match[0];
    button.onclick = () => seek(seconds);
    out.append(button);
    last = match.index + match[0].length;
  }
  out.append(text.slice(last));
  return out;
}
