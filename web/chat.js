// How a conversation looks: one list item a message.
import { element } from "./media.js";
import { timeline, withTimes } from "./timeline.js";

function tools(message) {
  const row = document.createElement("div");
  row.className = "tools";
  const copy = document.createElement("button");
  copy.type = "button";
  copy.className = "small";
  copy.textContent = "Copy";
  copy.onclick = async () => {
    await navigator.clipboard.writeText(message.text);
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  };
  row.append(copy);
  const usage = message.usage;
  if (usage) {
    const seconds = usage.receipt.seconds;
    const parts = [`${usage.prompt_tokens} prompt tokens`, `${usage.prompt_tokens_details.cached_tokens} cached`,
      `${usage.completion_tokens} answer tokens`, `first token ${seconds.first_token.toFixed(2)} s`, `${seconds.total.toFixed(2)} s in all`];
    row.append(parts.join(" · "));
  }
  if (message.finish && message.finish !== "stop") row.append(message.finish === "length" ? " · cut at the token limit" : ` · ${message.finish}`);
  return row;
}

export class Log {
  constructor(list) {
    this.list = list;
    this.players = [];  // of the videos shown, the last one asked about at the end
  }

  clear() {
    this.list.replaceChildren();
    this.players = [];
  }

  seek(seconds) {
    const player = this.players.at(-1);
    if (!player) return;
    player.currentTime = seconds;
    player.scrollIntoView({ block: "nearest" });
  }

  /** Adds a message. @return functions that change it while it is being made. */
  add(message) {
    const item = document.createElement("li");
    item.className = `message ${message.role}`;
    const who = item.appendChild(document.createElement("p"));
    who.className = "who";
    who.textContent = message.role === "user" ? "You" : "Answer";
    if (message.media?.length) {
      const media = item.appendChild(document.createElement("ul"));
      media.className = "media";
      for (const medium of message.media) {
        const shown = element(medium, true);
        media.appendChild(document.createElement("li")).append(shown);
        if (medium.kind === "video") this.players.push(shown);
      }
    }
    const text = item.appendChild(document.createElement("p"));
    text.className = "text";
    const players = this.players.length;
    const view = {
      item,
      text: (value) => { text.textContent = value; },
      busy: (on) => text.classList.toggle("busy", on),
      finish: () => {
        text.replaceChildren(message.role === "user" ? message.text : withTimes(message.text, (s) => this.seek(s)));
        item.querySelector(".tools")?.remove();
        item.append(tools(message));
      },
      /** The frames that an answer is based on. @param media  all media of the conversation so far, in order. */
      frames: (media) => {
        let video = 0;
        const receipts = message.usage?.receipt.media ?? [];
        receipts.forEach((receipt, i) => {
          if (receipt.kind !== "video") return;
          const player = this.players[video++];
          const newest = player && media[i] && video > players - media.filter((m) => m.kind === "video").length;
          if (newest) item.insertBefore(timeline(receipt, message.usage.receipt.kept_masks?.[i], media[i], player), text);
        });
      },
    };
    if (message.text) view.finish();
    this.list.append(item);
    return view;
  }
}
