// How a conversation looks: one list item a message.
import { captioned, element } from "./media.js";
import { timeline, withTimes } from "./timeline.js";

/** What the server does before an answer's first token, in words. */
export function progressText({ stage, processed, total }) {
  const names = { decode: "decoding frames", encode: "encoding frames", prefill: "reading the prompt" };
  return `${names[stage] ?? stage} ${processed}${total ? ` of ${total}` : ""}`;
}

/** What a question would cost, in words, one line a medium. */
export function planText(plan) {
  const media = plan.media.map(({ name, kind, frames, tokens, kept }) => {
    const counted = plan.pruning_known ? `${kept} of ${tokens} tokens kept` : `${tokens} tokens before pruning`;
    return kind === "video" ? `${name}: ${frames.length} frames, ${counted}` : `${name}: picture, ${tokens} tokens`;
  });
  const cost = [`${plan.prompt_tokens} prompt tokens`, `about ${plan.first_token_seconds.toFixed(1)} s to the first token`,
    `${Math.round(plan.memory.kv_bytes / 2 ** 20)} MiB of cache`].join(" · ");
  return [cost, ...media, ...plan.notes].join("\n");
}

/** Keeps the page's end in view, whatever grows, until the reader scrolls up from it. @return goes back to the end */
export function keepEndInView() {
  let atEnd = true, last = 0;
  const toEnd = () => {
    atEnd = true;
    scrollTo(0, document.body.scrollHeight);
  };
  history.scrollRestoration = "manual";
  addEventListener("scroll", () => {
    const near = innerHeight + scrollY > document.body.scrollHeight - 120;
    if (near || scrollY < last) atEnd = near;
    last = scrollY;
  });
  new ResizeObserver(() => { if (atEnd) toEnd(); }).observe(document.body);
  return toEnd;
}

/** @return whether it worked */
async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).then(() => true, () => false);
  // Plain http from another host has no clipboard but the old command's, which copies what is selected.
  const before = document.activeElement;
  const area = document.createElement("textarea");
  area.className = "hidden";
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  before?.focus({ preventScroll: true });
  return copied;
}

function copyButton(message) {
  const copy = document.createElement("button");
  copy.type = "button";
  copy.className = "small";
  copy.textContent = "Copy";
  copy.onclick = async () => {
    copy.textContent = await copyText(message.text) ? "Copied" : "Copying failed: select the text instead";
    setTimeout(() => { copy.textContent = "Copy"; }, 3000);
  };
  return copy;
}

function tools(message) {
  const row = document.createElement("div");
  row.className = "tools";
  row.append(copyButton(message));
  const parts = [];
  const usage = message.usage;
  if (usage) {
    const seconds = usage.receipt.seconds;
    parts.push(`${usage.prompt_tokens} prompt tokens`, `${usage.prompt_tokens_details.cached_tokens} cached`,
      `${usage.completion_tokens} answer tokens`, `first token ${seconds.first_token.toFixed(2)} s`, `${seconds.total.toFixed(2)} s in all`);
  }
  if (message.finish && message.finish !== "stop") parts.push(message.finish === "length" ? "cut at the token limit" : message.finish);
  row.append(parts.join(" · "));
  return row;
}

/** Which of several videos the times in an answer lead to. */
class Target {
  /** @param videos  all before the answer @param touched  the one last used, if any */
  constructor(videos, touched) {
    this.videos = videos;
    this.asked = videos.filter((video) => video.message === videos.at(-1).message);  // those it is probably about
    this.video = this.asked.includes(touched) ? touched : videos.at(-1);
    this.buttons = [];
  }

  seek(seconds) {
    this.video.player.currentTime = seconds;
    this.video.player.scrollIntoView({ block: "nearest" });
  }

  choose(video) {
    this.video = video;
    if (this.select) this.select.selectedIndex = this.videos.indexOf(video);
    for (const button of this.buttons) button.title = `Go there in ${video.item.name}`;
  }

  /** @param buttons  the times @return what shows, and lets choose, the video; empty where there is no choice */
  control(buttons) {
    this.buttons = buttons;
    const label = document.createElement("label");
    if (buttons.length > 0 && this.videos.length > 1) {
      this.select = document.createElement("select");
      this.select.append(...this.videos.map((video) => new Option(video.item.name)));
      this.select.onchange = () => this.choose(this.videos[this.select.selectedIndex]);
      label.append("Times lead to ", this.select);
    }
    this.choose(this.video);
    return label;
  }
}

export class Log {
  constructor(list) {
    this.list = list;
    this.clear();
  }

  clear() {
    this.list.replaceChildren();
    this.videos = [];   // {item, player, message} of those shown, in order
    this.targets = [];  // of the answers shown
    this.touched = null;
  }

  // The answers about a video that is played, clicked or focused lead to it from then on.
  touch(video) {
    this.touched = video;
    for (const target of this.targets) if (target.asked.includes(video)) target.choose(video);
  }

  showMedia(message) {
    const list = document.createElement("ul");
    list.className = "media";
    for (const item of message.media) {
      if (!item.blob) {
        const lost = document.createElement("span");
        lost.className = "lost";
        lost.textContent = `This ${item.kind === "video" ? "video" : "picture"} is no longer stored; it is not sent with further questions.`;
        list.append(captioned(item, lost));
        continue;
      }
      const shown = element(item, true);
      list.append(captioned(item, shown));
      if (item.kind !== "video") continue;
      const video = { item, player: shown, message };
      this.videos.push(video);
      for (const event of ["play", "pointerdown", "focus"]) shown.addEventListener(event, () => this.touch(video));
    }
    return list;
  }

  /** The frames that the answer is based on, one timeline for each video asked about. */
  timelines(message, target) {
    const receipts = message.usage?.receipt.media ?? [];
    return receipts.flatMap((receipt, i) => {
      const video = target.asked.find(({ item }) => item.id === message.media_ids?.[i]);
      return receipt.kind === "video" && video ? [timeline(receipt, message.usage.receipt.kept_masks?.[i], video.item, video.player)] : [];
    });
  }

  /** Adds a message. @return functions that change it while it is being made. */
  add(message) {
    const item = document.createElement("li");
    item.className = `message ${message.role}`;
    const who = item.appendChild(document.createElement("p"));
    who.className = "who";
    who.textContent = message.role === "user" ? "You" : "Answer";
    const target = message.role === "assistant" && this.videos.length > 0 ? new Target([...this.videos], this.touched) : null;
    if (target) this.targets.push(target);
    if (message.media?.length) item.append(this.showMedia(message));
    const text = item.appendChild(document.createElement("p"));
    text.className = "text";
    this.list.append(item);
    return {
      item,
      text: (value) => { text.textContent = value; },
      busy: (on) => {
        text.classList.toggle("busy", on);
        this.list.setAttribute("aria-busy", on);  // read out as a whole, not token by token
      },
      remove: () => {
        item.remove();
        this.videos = this.videos.filter((video) => video.message !== message);
        this.targets = this.targets.filter((other) => other !== target);
      },
      /** Shows the message as it is in the end. */
      finish: () => {
        const row = item.appendChild(tools(message));
        if (!target) {
          text.textContent = message.text;
          return;
        }
        text.replaceChildren(withTimes(message.text, (seconds) => target.seek(seconds)));
        row.append(target.control([...text.querySelectorAll(".time")]));
        text.before(...this.timelines(message, target));
      },
    };
  }
}
