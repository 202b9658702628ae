// The page in Debian's Chromium: upload, ask, stream, stop, seek, plan, reload, full storage, errors shown, dark, phone.
// usage: node page_test.mjs VL3 [FOLDER for screenshots]; playwright-core is looked for in $VL3_PLAYWRIGHT.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import assert from "node:assert/strict";
import path from "node:path";

const SKIPPED = 77;
const skip = (reason) => { console.log(`skipped: ${reason}`); process.exit(SKIPPED); };
let chromium;
try {
  const home = process.env.VL3_PLAYWRIGHT ?? "/opt/playwright";
  ({ chromium } = createRequire(path.join(home, "package.json"))("playwright-core"));
} catch { skip("no playwright-core (npm install playwright-core; set VL3_PLAYWRIGHT)"); }
const browserPath = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync);
if (!browserPath) skip("no Chromium");

const root = path.resolve(import.meta.dirname, "../..");
const media = (name) => path.join(root, "examples/media", name);
const shots = process.argv[3];
if (shots) mkdirSync(shots, { recursive: true });

function startServer() {
  const server = spawn(process.argv[2], ["serve", "--model", path.join(root, "tests/data/seeded_tiny"), "--port", "0", "--dtype", "float32", "--quiet", "--api-key", "secret"], { stdio: ["ignore", "ignore", "pipe"] });
  return new Promise((resolve, reject) => {
    server.stderr.on("data", (text) => {
      const found = /at (http:[^\s"]+)/.exec(text);
      if (found) resolve({ server, url: found[1] });
    });
    server.on("exit", (status) => reject(new Error(`vl3 serve ended with ${status}`)));
  });
}

const { server, url } = await startServer();
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"] });
const context = await browser.newContext({ viewport: { width: 1000, height: 900 }, permissions: ["camera", "clipboard-read", "clipboard-write"] });
const page = await context.newPage();
// Room for two media of 5 MB. From the beginning: Chromium looks at it only now and then.
await (await context.newCDPSession(page)).send("Storage.overrideQuotaForOrigin", { origin: new URL(url).origin, quotaSize: 14e6 });
const complaints = [], outside = [];
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("console", (message) => { if (message.type() === "error" && !/status of (401|4\d\d)/.test(message.text())) complaints.push(message.text()); });
page.on("request", (request) => { if (!/^(http:\/\/127\.0\.0\.1|blob:|data:)/.test(request.url())) outside.push(request.url()); });
const shot = (name) => shots && page.screenshot({ path: path.join(shots, `${name}.png`) });
const status = (text) => page.locator("#status", { hasText: text }).waitFor({ timeout: 60000 });
const stored = () => page.evaluate(() => JSON.parse(localStorage.getItem("vl3-conversation")));
const say = async (text) => { await page.getByLabel("Question").fill(text); await page.keyboard.press("Enter"); };
const requestFor = async (text) => (await Promise.all([page.waitForRequest("**/v1/chat/completions"), say(text)]))[0];
const set = async (fields) => {
  await page.getByRole("button", { name: "Settings" }).click();
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label).fill(value);
  await page.getByRole("button", { name: "Done" }).click();
};

/** Asks `question` and answers it with `text` in the server's place. */
async function withAnswer(text, question) {
  const events = [{ choices: [{ delta: { content: text } }] }, { choices: [{ delta: {}, finish_reason: "stop" }] }];
  const body = [...events.map((event) => JSON.stringify(event)), "[DONE]"].map((data) => `data: ${data}\n\n`).join("");
  await page.route("**/v1/chat/completions", (route) => route.fulfill({ contentType: "text/event-stream", body }));
  await say(question);
  await status("Answer complete.");
  await page.unroute("**/v1/chat/completions");
}

/** Lets the answers of `action` go on: the small model may end one at any token. */
async function withoutEnd(action) {
  await page.route("**/v1/chat/completions", (route) =>
    route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), ignore_eos: true, seed: 7 }) }));
  await action();
  await page.unroute("**/v1/chat/completions");
}

let step = "";

try {
  step = "a script that does not come is said";
  await page.route("**/chat.js", (route) => route.fulfill({ status: 403 }));
  await page.goto(url);
  await page.locator("#not-started", { hasText: "did not start" }).waitFor();
  await page.unroute("**/chat.js");

  step = "the key is asked for";
  await page.goto(url);
  await page.locator("#error", { hasText: "API key" }).waitFor();
  await set({ "API key": "secret", Temperature: "0", "Most answer tokens": "40" });
  await page.locator("#model", { hasText: "tiny" }).waitFor();
  assert.equal(await page.locator("#not-started").count(), 0);
  await shot("empty");

  step = "settings: wrong ones are refused, Escape changes nothing";
  await set({ Temperature: "9" });
  await page.locator("#settings-error", { hasText: "Temperature: " }).waitFor();
  await shot("settings");
  await page.keyboard.press("Escape");
  await page.locator("#settings").waitFor({ state: "hidden" });
  assert.equal(await page.evaluate(() => JSON.parse(localStorage.getItem("vl3-settings")).temperature), "0");

  step = "upload, plan, ask by keyboard, stream";
  await page.locator("#files").setInputFiles([media("moving.mp4"), media("shapes.png")]);
  assert.equal(await page.locator("#attachments li").count(), 2);
  const plan = async (button, shown) => {
    const [request] = await Promise.all([page.waitForRequest("**/v1/plan"), page.getByRole("button", { name: button }).click()]);
    await page.locator("#plan", { hasText: shown }).waitFor({ timeout: 60000 });
    return request.postDataJSON().measure_pruning;
  };
  assert.equal(await plan("Plan", "moving.mp4: 4 frames, 96 tokens before pruning shapes.png: picture"), false);
  await shot("plan");
  assert.equal(await plan("Measure pruning", /moving.mp4: 4 frames, \d+ of 96 tokens kept/), true);
  await say("What happens?");
  await status("Answer complete.");
  const first = await page.locator(".message.assistant .text").textContent();
  assert.ok(first.length > 0);
  assert.match(await page.locator(".message.assistant .tools").textContent(), /40 answer tokens/);

  step = "frames on a timeline, seek";
  const frames = page.locator(".timeline button");
  assert.equal(await frames.count(), 4);
  await frames.nth(2).click();
  assert.equal(await page.locator(".media video").evaluate((video) => video.currentTime), 2);
  await page.waitForTimeout(1500);
  await shot("answer");

  step = "a time in an answer seeks";
  const text = "at 1:02, 3.5s and 1:00:01 but not 12:345; 1.0-2.0 s, 0:07–0:08, 4 to 5 seconds, 2-3 dogs";
  const sought = await page.evaluate(async (text) => {
    const { withTimes } = await import("./timeline.js");
    const times = [];
    const box = document.createElement("p");
    box.append(withTimes(text, (s) => times.push(s)));
    box.querySelectorAll("button").forEach((button) => button.click());
    return [times, box.textContent];
  }, text);
  assert.deepEqual(sought, [[62, 3.5, 3601, 1, 2, 7, 8, 4, 5], text]);

  step = "the heat map has neither seams nor gaps";
  const shades = await page.evaluate(async () => {
    const { drawMask } = await import("./timeline.js");
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: 100, height: 96 });
    drawMask(canvas.getContext("2d"), 100, 96, "0".repeat(77), { width: 11, height: 7 });
    return new Set(canvas.getContext("2d").getImageData(0, 0, 100, 96).data.filter((_, i) => i % 4 === 3)).size;
  });
  assert.equal(shades, 1);

  step = "copy";
  const copy = page.locator(".message.assistant button.small");
  await copy.click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), first);
  await page.evaluate(async () => {  // as on plain http from another host
    await navigator.clipboard.writeText("");
    Object.defineProperty(navigator, "clipboard", { value: undefined, configurable: true });
  });
  await copy.click();
  assert.equal(await copy.textContent(), "Copied");
  assert.equal(await page.evaluate(() => { delete navigator.clipboard; return navigator.clipboard.readText(); }), first);
  await page.evaluate(() => { navigator.clipboard.writeText = () => Promise.reject(new Error("not allowed")); });
  await copy.click();
  await page.getByRole("button", { name: "Copying failed" }).waitFor();

  step = "export";
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export" }).click()]);
  assert.equal(download.suggestedFilename(), "conversation.json");

  step = "reload keeps conversation and media";
  await page.reload();
  await page.locator(".message.assistant .text").waitFor();
  assert.equal(await page.locator(".message.assistant .text").textContent(), first);
  assert.equal(await page.locator(".message.user .media li").count(), 2);
  assert.equal(await page.locator(".timeline button").count(), 4);
  assert.ok(!JSON.stringify(await stored()).includes("kept_masks"));  // long as they are, they lie with the media
  const kept = await page.evaluate(async () => (await (await import("./store.js")).loadConversation()).at(-1).usage.receipt.kept_masks[0].frames);
  assert.equal(kept.length, 4);
  await page.waitForFunction(() => document.documentElement.scrollHeight > innerHeight + 50 && scrollY + innerHeight > document.documentElement.scrollHeight - 5);

  step = "a second question names the media by their uuid alone";
  const request = await requestFor("And then?");
  assert.ok(request.postData().length > 1000);  // after a reload the bytes are sent once more
  await status("Answer complete.");
  const third = await requestFor("Really?");
  assert.equal(third.postDataJSON().messages[0].content[0].video_url, null);
  await page.waitForFunction(() => document.querySelectorAll(".message.assistant .tools").length === 3, null, { timeout: 60000 });

  step = "New begins with nothing attached or written";
  await page.locator("#files").setInputFiles(media("shapes.png"));
  await page.getByLabel("Question").fill("Half a quest");
  await page.getByRole("button", { name: "New" }).click();
  assert.equal(await page.getByLabel("Question").inputValue(), "");
  assert.equal(await page.locator("#attachments li, .message").count(), 0);

  step = "stop";
  await set({ "Most answer tokens": "20000", Temperature: "1.5" });
  const streaming = () => page.waitForFunction(() => document.querySelector(".message.assistant:last-child .text")?.textContent.length > 20, null, { timeout: 60000 });
  await withoutEnd(async () => {
    await say("Go on for ever");
    await streaming();
    await shot("streaming");
    assert.equal(await page.locator("#log").getAttribute("aria-busy"), "true");
    await page.keyboard.press("Escape");
    await status("Stopped.");
    assert.equal(await page.locator("#log").getAttribute("aria-busy"), "false");
  });

  step = "a reload while an answer comes keeps question, media and the part that came";
  await page.getByRole("button", { name: "New" }).click();
  await withoutEnd(async () => {
    await page.locator("#files").setInputFiles(media("shapes.png"));
    await say("Go on");
    await streaming();
    await page.waitForFunction(() => JSON.parse(localStorage.getItem("vl3-conversation")).at(-1).text.length > 20);
    await page.reload();
  });
  await page.locator(".message.assistant .tools", { hasText: "stopped" }).waitFor();
  assert.equal(await page.locator(".message.user .text").textContent(), "Go on");
  assert.equal(await page.locator(".message.user img").count(), 1);
  assert.ok((await page.locator(".message.assistant .text").textContent()).length > 20);

  step = "of several videos the one last used is sought, or the last one, or a chosen one";
  await page.getByRole("button", { name: "New" }).click();
  await page.locator("#files").setInputFiles(media("moving.mp4"));
  await page.locator("#files").setInputFiles([media("moving.mp4"), media("clip.mp4")]);
  await withAnswer("It moves at 1.0-2.0 s.", "When?");
  const lead = page.getByLabel("Times lead to");
  const places = () => page.locator(".media video").evaluateAll((videos) => videos.map((video) => video.currentTime));
  assert.equal(await lead.inputValue(), "clip.mp4");
  await page.getByRole("button", { name: "1.0" }).click();
  assert.deepEqual(await places(), [0, 0, 1]);
  await page.locator(".media video").first().focus();
  assert.equal(await lead.inputValue(), "moving.mp4");
  await page.getByRole("button", { name: "2.0 s" }).click();
  assert.deepEqual(await places(), [2, 0, 1]);
  await lead.selectOption("moving.mp4 (2)");
  await page.getByRole("button", { name: "1.0" }).click();
  assert.deepEqual(await places(), [2, 1, 1]);
  await shot("several");

  step = "an error is shown and the question is not lost";
  await page.getByRole("button", { name: "New" }).click();
  await page.evaluate(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["no video"], "broken.mp4", { type: "video/mp4" }));
    document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  });
  await say("What is wrong?");
  await page.locator("#error:not([hidden])").waitFor({ timeout: 60000 });
  assert.match(await page.locator("#error").textContent(), /^broken\.mp4: /);
  assert.equal((await stored()).length, 0);
  assert.equal(await page.getByLabel("Question").inputValue(), "What is wrong?");
  assert.equal(await page.locator("#attachments li").count(), 1);
  await shot("error");
  await page.getByRole("button", { name: "Remove broken.mp4" }).click();

  step = "camera: picture and clip";
  await page.getByRole("button", { name: "Camera", exact: true }).click();
  await page.getByRole("button", { name: "Take a picture" }).click();
  await page.locator("#attachments img").waitFor();
  await page.getByRole("button", { name: "Camera", exact: true }).click();
  await page.getByRole("button", { name: "Record a clip" }).click();
  await page.waitForTimeout(1500);
  await page.getByRole("button", { name: "Stop recording" }).click();
  await page.locator("#attachments video").waitFor();
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("Most answer tokens").fill("8");
  await page.getByLabel("Theme").selectOption("dark");
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByLabel("Question").fill("What does the camera see?");
  await page.getByRole("button", { name: "Send" }).click();
  await status("Answer complete.");
  await shot("dark");

  step = "phone width without a sideways scroll";
  await page.setViewportSize({ width: 360, height: 740 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await shot("phone");

  step = "where the browser has no room the oldest medium goes, and it is said";
  await page.getByRole("button", { name: "New" }).click();
  for (const name of ["old.png", "newer.png", "new.png"]) {
    assert.equal(await page.locator("#warning").textContent(), "");
    await page.locator("#files").setInputFiles({ name, mimeType: "image/png", buffer: Buffer.alloc(5e6, name) });
    await withAnswer("Yes.", name);
  }
  await page.locator("#warning", { hasText: "storage is full" }).waitFor();
  await page.reload();
  await page.locator(".message.user", { hasText: "old.png" }).locator(".lost").waitFor();
  assert.equal(await page.locator(".message.user", { hasText: "new.png" }).locator("img").count(), 1);
  await shot("lost");
  await page.evaluate(() => {  // so full that not even the text has room
    for (let size = 1 << 22; size > 0; size >>= 1) {
      try { for (let n = 0; ; ++n) localStorage.setItem(`fill-${size}-${n}`, "x".repeat(size)); } catch { /* full of this size */ }
    }
  });
  await withAnswer("Yes.", "Is there room?");
  await page.locator("#warning", { hasText: "storage is full" }).waitFor();

  step = "no complaint, no request to anywhere else";
  assert.deepEqual(complaints, []);
  assert.deepEqual(outside, []);
  console.log("the page works");
} catch (error) {
  console.error(`while checking: ${step}`);
  await shot("failure");
  console.error(error, complaints);
  process.exitCode = 1;
} finally {
  await browser.close();
  server.removeAllListeners("exit");
  server.kill("SIGTERM");
}
